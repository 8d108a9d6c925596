"""Any frame read alone is the frame that is read in sequence, in every container and codec that FFmpeg has here

    python tests/test_videos.py --n 400     # more of them, with other options of the coders"""
import argparse, sys, tempfile
from fractions import Fraction
from pathlib import Path
import av, cv2
import numpy as np
import pytest
from world_models.core import InputError
from world_models.videos import VideoInfo, VideoSet, find_videos, read_clip, video_info

CONTAINERS = dict(mp4='mp4', mov='mov', mkv='matroska', webm='webm', avi='avi', mpg='mpeg', ts='mpegts', ogv='ogg', flv='flv', wmv='asf', gif='gif', m4v='mp4')
CODECS = ['libx264','libx264rgb','libx265','libvpx','libvpx-vp9','libaom-av1','mpeg4','msmpeg4v3','mpeg1video','mpeg2video','mjpeg','ffv1','huffyuv','ffvhuff','utvideo',
    'png','qtrle','rawvideo','gif','flv','wmv1','wmv2','h263p','prores_ks','dnxhd','theora','libtheora','zlib','cinepak','snow','vc2','rv20','svq1','magicyuv']
T = 40

def barcode(k, h=48, w=64):
    "Frame number `k` in eight bars, and a ball"
    im = np.full((h,w,3), 60, np.uint8)
    im[h//2:] = np.repeat((k>>np.arange(8))&1, w//8)[None,:,None]*255
    return cv2.circle(im, (4+(k*3)%56, 12), 6, (250,250,250), -1, cv2.LINE_AA)

def number(x):
    h,w = x.shape[1:3]
    return (x[:, 3*h//4, w//16::w//8].mean(-1)>127) @ (1<<np.arange(8))

FRAMES = np.stack([barcode(k) for k in range(T)])

def write(path, codec, form, times=None, tick=Fraction(1,25), title=False, **options):
    "Write `FRAMES`; `False` if these two do not go together here"
    try:
        with av.open(str(path), 'w', format=form) as c:
            v = c.add_stream(codec, rate=25, options=options)
            v.height,v.width = FRAMES.shape[1:3]
            formats = [o.name for o in v.codec_context.codec.video_formats or ()]
            v.pix_fmt = next((o for o in ('yuv420p','yuv422p','yuvj420p','rgb24','gbrp','bgr24','rgb8','pal8') if o in formats), formats[0] if formats else 'yuv420p')
            v.codec_context.time_base = tick
            v.codec_context.thread_count = 1
            if codec=='mjpeg': v.pix_fmt,v.codec_context.color_range = 'yuvj420p',2
            for k,im in enumerate(FRAMES):
                f = av.VideoFrame.from_ndarray(im, format='rgb24')
                f.pts,f.time_base = (k if times is None else int(times[k])),tick
                c.mux(v.encode(f))
            c.mux(v.encode())
        with av.open(str(path)) as c: return sum(1 for _ in c.decode(video=0))==T # what FFmpeg itself reads back
    except (av.FFmpegError, ValueError, OSError, IndexError, AttributeError): return False

def pairs(rng=None):
    "Every codec in every container, with the coder's own options or with some drawn"
    for codec in CODECS:
        if codec not in av.codecs_available: continue
        for suffix,form in CONTAINERS.items():
            if form=='mpeg' and codec[:4]!='mpeg': continue # FFmpeg writes there what it gives no times
            if rng is None: yield codec,suffix,form,dict(g='17', bf='2') if codec in ('libx264','libx265','mpeg4','mpeg2video','mpeg1video') else {}
            else: yield codec,suffix,form,dict(g=str(rng.integers(1,45)), bf=str(rng.integers(0,4)))|({'x264-params':str(rng.choice(['intra-refresh=1','open-gop=1','bframes=8:b-pyramid=2','ref=8','keyint=infinite']))} if codec=='libx264' else {})

def check(path, rng, n=6):
    "Frames alone, and in short runs, against the whole film"
    info = video_info(path)
    whole = read_clip(path, info=info)
    for _ in range(n):
        k = int(rng.integers(info.n_frames)); m = int(rng.integers(1, 1+min(4, info.n_frames-k)))
        assert np.array_equal(read_clip(path, k, m, info=info), whole[k:k+m]), f'{path.name}: frame {k}, {m}, seekable {info.seekable}'
    return info,whole

def run(folder, cases, rng):
    "Write and check; what was tried, and what was wrong"
    tried,wrong = [],[]
    for i,(codec,suffix,form,options) in enumerate(cases):
        path = Path(folder)/f'{codec}-{i}.{suffix}'
        if not write(path, codec, form, **options): continue
        tried.append((codec,suffix))
        try:
            info,whole = check(path, rng)
            if len(whole)!=T: wrong.append(f'{path.name} {options}: {len(whole)} of {T} frames')
            elif not np.array_equal(number(whole), np.arange(T)): wrong.append(f'{path.name} {options}: other frames {number(whole).tolist()}')
            elif not abs(info.fps/25-1)<.03: wrong.append(f'{path.name} {options}: {info.fps} frames a second')
        except (AssertionError, InputError) as e: wrong.append(f'{options} {e}')
        path.unlink()
    return tried,wrong

def test_every_codec_in_every_container(tmp_path):
    tried,wrong = run(tmp_path, list(pairs()), np.random.default_rng(0))
    assert len(tried)>80 and {'libx264','mpeg2video','mjpeg'}<={c for c,_ in tried}
    assert not wrong, '\n'.join(wrong)

if __name__=='__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--n', type=int, default=200); p.add_argument('--seed', type=int, default=0); o = p.parse_args()
    rng = np.random.default_rng(o.seed); cases = []
    while len(cases)<o.n: cases += list(pairs(rng))
    cases = [cases[i] for i in rng.permutation(len(cases))[:o.n]]
    with tempfile.TemporaryDirectory() as tmp: tried,wrong = run(tmp, cases, rng)
    print(*wrong, f'{len(tried)} films written, {len(wrong)} wrong', sep='\n')
    sys.exit(bool(wrong))
