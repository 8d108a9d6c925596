"""Wrong calls from Python: each public door is given one wrong thing at a time, and must answer in one line

    python tests/calls.py [--only psnr,simulate]

For every door there is a good call, and for each of its arguments what cannot be meant: numbers out of range or none, frames of another shape, size,
range or kind, names that do not exist. `InputError` is right; a result, or any other error, falls short."""
import argparse, collections, inspect, sys, tempfile
from functools import partial
from pathlib import Path
import numpy as np
import torch
from world_models.core import InputError, set_seed
torch.set_num_threads(1)

NUMBER = [float('nan'), float('inf'), '7', [3], None] # None where it is no default
COUNT = [0, -1, 2.5, *NUMBER]                     # of a whole number above 0
HUGE = [10**14]                                   # more than any memory
RATE = [0, -1, *NUMBER]                           # of a number above 0
NAME = ['snooker', '', 7]

def frames(b=2, t=4, c=1, h=32, w=32): return torch.rand(b,t,c,h,w, generator=torch.Generator().manual_seed(0))
def odd_frames(x): return [x*255, x*torch.nan, (x*255).byte(), x[0,0,0], x[...,:5], 'x', None]

def doors(tmp):
    "Name → (function, good keyword arguments, wrong values by argument)"
    from world_models.conversion import convert
    from world_models.datasets import Windows, import_videos, open_episodes, split_clips, write_episodes
    from world_models.evaluation import copy_last, evaluate, psnr, ssim
    from world_models.encoders import ConvEncoder, VectorEncoder
    from world_models.decoders import ConvDecoder
    from world_models.intervals import bootstrap
    from world_models.labels import centre_labels, visibility
    from world_models.generation import plan_world, write_films
    from world_models.listings import KineticsSet, read_table
    from world_models.loading import make_batches
    from world_models.presets import preset
    from world_models.rendering import render
    from world_models.simulation import simulate
    from world_models.sources import ArraySet, ImageSet, open_source
    from world_models.videos import VideoSet, read_clip, video_info, write_video
    from world_models.world_model import load_model
    set_seed(0)
    x = frames(); ep = simulate('pendulum', n=4, n_frames=8)
    clips = write_episodes(tmp/'clips', 'pendulum', n=6, n_frames=8, size=32)
    write_video(tmp/'a.mp4', np.zeros((8,32,32,3), np.uint8)); info = video_info(tmp/'a.mp4')
    np.save(tmp/'a.npy', np.zeros((2,4,16,16,1), np.uint8))
    (tmp/'list.csv').write_text('path,label\na.mp4,dog\n')
    enc = ConvEncoder((1,32,32), width=4).eval(); dec = ConvDecoder(enc.spec.shape, (1,32,32), width=4).eval(); z = enc(x).detach()
    return {
        'psnr': (psnr, dict(pred=x, truth=x), dict(pred=[o for o in odd_frames(x) if not isinstance(o, (str,type(None)))])),
        'ssim': (ssim, dict(pred=x, truth=x), dict(pred=[o for o in odd_frames(x) if not isinstance(o, (str,type(None)))])),
        'simulate': (simulate, dict(world='pendulum', n=2, n_frames=4, fps=15, seed=0), dict(world=NAME, n=COUNT+HUGE, n_frames=COUNT+HUGE, fps=RATE, seed=[-1,1.5,'x'])),
        'render': (render, dict(ep=ep, size=16, channels=1), dict(size=COUNT+[10**9], channels=[0,2,4,'1'])),
        'visibility': (visibility, dict(ep=ep, size=16), dict(size=COUNT+[10**9])),
        'centre_labels': (centre_labels, dict(ep=ep, size=16, patch=8), dict(size=COUNT, patch=[0,3,-8,'8'])),
        'write_video': (partial(write_video, tmp/'b.mp4'), dict(x=np.zeros((4,16,16,3), np.uint8), fps=15, crf=18), dict(x=[np.zeros((4,16,16), np.uint8), np.zeros((0,16,16,3), np.uint8), np.zeros((4,16,16,3))], fps=RATE, crf=[-1,52,'x'])),
        'read_clip': (read_clip, dict(path=tmp/'a.mp4', start=0, n=2, channels=3, info=info), dict(start=[-1,8,99], n=[0,-1,99], channels=[0,2,'3'], size=[0,-3,(8,-3),10**7], path=[])),
        'VideoSet': (VideoSet, dict(infos=[info], size=16, channels=1, fps=15), dict(fps=RATE)),
        'pick': (lambda **kw: list(VideoSet([info], 16).pick(0, **kw)), dict(ks=[0,3]), dict(ks=[[], [3,0], [-1], [8], [.5], [[0]], 'x', None])),
        'KineticsSet': (KineticsSet, dict(table=tmp/'list.csv', root=tmp, n_frames=2, stride=2, size=16), dict(table=[tmp/'none', tmp, tmp/'a.npy'], root=[tmp/'none'], n_frames=COUNT+[99], stride=COUNT+[99], size=COUNT, channels=[0,2,'1'])),
        'read_table': (lambda **kw: read_table(kw['path'], kw['column']), dict(path=tmp/'list.csv', column='path'), dict(path=[tmp/'none', tmp, tmp/'a.npy'], column=['cow'])),
        'plan_world': (plan_world, dict(world='pendulum', n=2, n_frames=4, size=16), dict(world=NAME, n=COUNT+HUGE, n_frames=COUNT, size=COUNT, channels=COUNT, seed=[-1,1.5,'x'])),
        'write_films': (lambda **kw: write_films(Path(tempfile.mkdtemp(dir=tmp))/'f', **kw), dict(world='pendulum', n=1, n_frames=2, size=16), dict(world=NAME, n=COUNT+HUGE, n_frames=COUNT+HUGE, size=COUNT+[10**9], fps=RATE, channels=[0,2], workers=COUNT)),
        'open_source': (open_source, dict(path=tmp/'a.mp4', size=16, channels=1, fps=15), dict(path=[tmp/'none'], size=COUNT, channels=[0,2,'1'], fps=RATE)),
        'ArraySet': (ArraySet, dict(path=tmp/'a.npy', layout='nthwc', fps=15), dict(path=[tmp/'none.npy'], layout=['nth','xyzwc',''], fps=RATE)),
        'convert': (lambda **kw: convert(dst=Path(tempfile.mkdtemp(dir=tmp))/'out', **kw), dict(src=tmp/'a.npy', to='images', n_frames=2), dict(src=[tmp/'none'], to=NAME, n_frames=[0,-1,99,1.5,'x'])),
        'write_episodes': (lambda **kw: write_episodes(Path(tempfile.mkdtemp(dir=tmp))/'e', **kw), dict(world='pendulum', n=2, n_frames=4, size=16), dict(world=NAME, n=COUNT, n_frames=COUNT+HUGE, size=COUNT+[10**9], fps=RATE, channels=[0,2], seed=[-1,'x'], shard_size=COUNT, workers=COUNT)),
        'import_videos': (lambda **kw: import_videos(tmp, Path(tempfile.mkdtemp(dir=tmp))/'i', **kw), dict(n_frames=4, max_clips=3, size=16), dict(n_frames=COUNT+[99], max_clips=COUNT, size=COUNT, channels=[0,2], fps=RATE)),
        'split_clips': (split_clips, dict(groups=9, fractions=(.8,.1,.1), seed=0), dict(groups=[0,2,-1], fractions=[(1,0,0),(.5,.5),(.8,.1,float('nan'))], seed=[-1,1.5,'x'])),
        'Windows': (Windows, dict(source=clips, n_ctx=2, n_fut=2, stride=1), dict(n_ctx=COUNT+[99], n_fut=COUNT+[99], stride=COUNT)),
        'make_batches': (make_batches, dict(source=clips, n_ctx=2, n_fut=2, bs=2), dict(n_ctx=COUNT+[99], n_fut=COUNT, bs=COUNT)),
        'bootstrap': (bootstrap, dict(values=np.zeros((4,3)), n_boot=10, seed=0), dict(n_boot=COUNT, seed=[-1,'x'], values=[np.zeros((0,3)), np.full((3,2), np.inf)], groups=[[0,1]])),
        'evaluate': (evaluate, dict(f=copy_last, ep=ep, n_ctx=2, horizon=4), dict(n_ctx=[1,0,-1,2.5,'x',99], horizon=COUNT+[99], bs=COUNT, f=[lambda c,a,h: c, lambda c,a,h: c.tolist(), lambda c,a,h: copy_last(c,a,h)*255], size=COUNT)),
        'ConvEncoder': (enc, dict(x=x), dict(x=[o for o in odd_frames(x) if isinstance(o, torch.Tensor)][2:])),
        'ConvDecoder': (dec, dict(z=z), dict(z=[z[...,:2], z[0,0], z.long()])),
        'new encoder': (VectorEncoder, dict(x_shape=(1,32,32)), dict(x_shape=[(32,32),(1,32),(0,32,32),(1,-3,32),'x'])),
        'preset': (preset, dict(name='video_gru', x_shape=(1,32,32)), dict(name=NAME, x_shape=[(32,32),(1,32),(0,32,32),'x'], n_act=[-1,1.5,'x'])),
        'load_model': (load_model, dict(folder=tmp/'model'), dict(folder=[tmp/'none', tmp])),
    }

def cases(tmp):
    "Every wrong call: door, argument, value, and the call itself"
    for name,(f,good,wrong) in doors(tmp).items():
        known = inspect.signature(f).parameters
        for k,values in wrong.items():
            for v in values:
                if v is None and (k not in known or known[k].default is None): continue # a default, or one of `options`
                yield name,k,v,partial(f, **good|{k:v})

def judge(call):
    "'' where the call is refused in one line, else what came of it"
    try: call()
    except InputError as e: return '' if str(e).isprintable() and str(e).count(';')>=2 else f'not one line: {e}'
    except Exception as e: return f'{type(e).__name__}: {str(e)[:100]}'
    return 'taken'

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--only', default=''); o = p.parse_args(); count = collections.Counter()
    with tempfile.TemporaryDirectory() as tmp:
        for name,k,v,call in cases(Path(tmp)):
            if o.only and name not in o.only.split(','): continue
            why = judge(call); count[bool(why)] += 1
            if why: print(f'{name}({k}={str(v)[:40]!r}): {why}'.replace('\n',' '))
    print(f'{count[True]+count[False]} calls, {count[True]} fell short')
    sys.exit(count[True]>0)

if __name__=='__main__': main()
