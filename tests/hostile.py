"""Files that are damaged or made to harm: each is read as a user reads it, and what comes of it is judged

    python tests/hostile.py --n 2000 --seed 1 [--only episodes,model]

A case is `fine` (the same content as before the damage), `refused` (one line that says what to do) or `changed` (other content, where the format
has no checksum of its own, or where the damage has forged it). Everything else falls short: a traceback, a hang, memory without end, other content
where checksums stand, a file that reading has written or deleted. Runs of the demo are taken up again; they may write, and lose nothing that is not theirs."""
import argparse, collections, contextlib, hashlib, json, os, resource, shutil, signal, struct, sys, tempfile, traceback, zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import cv2, h5py, hdf5plugin
import numpy as np
from child import THREADS, TINY, forked, shrink, wm
from films import write_film
os.environ.update(THREADS)

# ---------------------------------------------------------------- odd values

def deep(n=100_000): return '['*n
ODD = [None, True, -1, 0, 1, 3, 1.5, 2**31, 10**9, 10**18, 10**40, -10**40, 1e308, float('nan'), float('inf'), '', 'x', 'x'*10_000, '../..', '/etc/passwd',
    'a\nb\x1b[31m', '\ud800', [], {}, [[]], [None], [-1], [10**9,10**9], {'':0}, {'shape':[10**9]*3}]

def odd(rng): return ODD[rng.integers(len(ODD))]

def places(doc, at=()):
    "Every path into a JSON document"
    yield at
    for k,v in (doc.items() if isinstance(doc, dict) else enumerate(doc) if isinstance(doc, list) else ()): yield from places(v, (*at,k))

def odd_json(rng, doc):
    "The document with one thing in it changed, gone or new"
    at = (all_ := list(places(doc)))[rng.integers(len(all_))]
    if not at: return odd(rng)
    doc = json.loads(json.dumps(doc)); parent = doc
    for k in at[:-1]: parent = parent[k]
    how = rng.integers(4)
    if how==0: del parent[at[-1]]
    elif how==1 and isinstance(parent, dict): parent[str(odd(rng))] = odd(rng)
    else: parent[at[-1]] = odd(rng)
    return doc

def odd_text(rng, text):
    if rng.random()<.1: return [deep(), '{"a":'*50_000, '', 'buy milk', 'NaN', '{'][rng.integers(6)]
    return json.dumps(odd_json(rng, json.loads(text)))

# ---------------------------------------------------------------- damage

def spoil_bytes(rng, path):
    "Damage that any file may suffer"
    b = bytearray(path.read_bytes()); n = max(1, len(b)); i = int(rng.integers(n)); m = int(rng.integers(1, 1+min(n, 4000)))
    how = ['bit','field','run','zero','cut','cut','empty','append','text','folder','nowhere','endless','other'][rng.integers(13)]
    if how=='bit' and b: b[i] ^= 1<<int(rng.integers(8))
    elif how=='field': b[i&~3:(i&~3)+4] = [b'\xff\xff\xff\xff',b'\x7f\xff\xff\xff',b'\0\0\0\0',b'\0\1\0\0'][rng.integers(4)]
    elif how=='run': b[i:i+m] = rng.bytes(m)
    elif how=='zero': b[i:i+m] = bytes(m)
    elif how=='cut': del b[i:]
    elif how=='empty': b = b''
    elif how=='append': b += rng.bytes(m)
    elif how=='text': b = b'buy milk, eggs\n'*3
    elif how=='other': b = b'\x89PNG\r\n\x1a\n'+bytes(b[8:])
    path.unlink()
    if how=='folder': path.mkdir(); (path/'a.txt').write_text('a')
    elif how=='nowhere': path.symlink_to('not there')
    elif how=='endless': path.symlink_to('/dev/zero')
    else: path.write_bytes(b)
    return how

def spoil_json(rng, path):
    path.write_text(odd_text(rng, path.read_text()), encoding='utf8', errors='surrogatepass')
    return 'json'

def spoil_h5(rng, path):
    "Damage by somebody who knows the format, and perhaps our checksums too"
    how = change_h5(rng, path)
    if rng.random()<.5: return how
    from world_models.shards import _checksum, _datasets, _digest
    with contextlib.suppress(Exception), h5py.File(path, 'r+') as f: # some changes cannot be covered up
        if rng.random()<.5: f.attrs['digests'] = np.bytes_(json.dumps({k:_digest(o[()]) for k,o in _datasets(f).items() if k!='frames' and o.size<10**6}))
        f.attrs['checksum'] = np.bytes_(_checksum(f))
    return f'forged {how}'

def change_h5(rng, path):
    "Attributes and arrays of other kinds and sizes, links that lead elsewhere"
    names = []
    with h5py.File(path, 'r+') as f:
        f.visititems(lambda k,o: names.append(k) if isinstance(o, h5py.Dataset) else None)
        k = names[rng.integers(len(names))]; o = f[k]
        how = ['attribute','no attribute','drop','kind','rows','rank','scalar','declared','soft','external','virtual','group','new'][rng.integers(13)]
        if how in ('attribute','no attribute'):
            a = (keys := sorted(f.attrs))[rng.integers(len(keys))]; was = f.attrs[a]
            if how=='no attribute': del f.attrs[a]
            else:
                try: f.attrs[a] = odd_text(rng, was) if isinstance(was, bytes) and was[:1] in b'{[' and rng.random()<.7 else odd(rng)
                except Exception: f.attrs[a] = np.arange(3) # what HDF5 itself cannot store
            return f'{how} {a}'
        x,kw = o[()],dict(compression=o.compression, chunks=o.chunks)
        if how!='new': del f[k]
        if how=='kind' and x.dtype.names: x = np.zeros(x.shape)
        if how=='kind': f[k] = [x.astype('f8'), x.astype('c8'), np.full(x.shape, b'a'), x.astype('>i2'), x.astype([('a','f4')]), np.full(x.shape, 'a', object)][rng.integers(6)] if np.ndim(x) else b'a'
        elif how=='rows': f[k] = x[:len(x)//2] if np.ndim(x) else x
        elif how=='rank': f[k] = x[None]
        elif how=='scalar': f[k] = 3
        elif how=='declared': f.create_dataset(k, (10**9, *x.shape[1:]), x.dtype, chunks=kw['chunks'] or True)
        elif how=='soft': f[k] = h5py.SoftLink('/nowhere')
        elif how=='external': f[k] = h5py.ExternalLink('../other.h5', k)
        elif how=='virtual':
            v = h5py.VirtualLayout(x.shape, x.dtype); v[...] = h5py.VirtualSource('../other.h5', k, x.shape); f.create_virtual_dataset(k, v)
        elif how=='group': f.create_group(k)
        elif how=='new': f['extra/thing'] = np.arange(3)
    return f'{how} {k}'

def spoil_npy(rng, path):
    "A header that promises what is not there"
    b = path.read_bytes(); shape = [(10**9,64,64), (2**62,), (-1,8), (3,4), (), (0,4,8,8), (10**5,)*5][rng.integers(7)]
    kind = ['|u1','|O','<U9','<c8','<f8','|V4','>i8','|b1'][rng.integers(8)]
    head = str(dict(descr=kind, fortran_order=bool(rng.integers(2)), shape=shape)).encode() if rng.random()<.9 else b'__import__("os")'
    head = head.ljust(117)+b'\n'
    path.write_bytes(b[:8]+struct.pack('<H', len(head))+head+b[128:])
    return f'header {kind}{shape}'

def spoil_png(rng, path):
    b = bytearray(path.read_bytes()); b[16:24] = struct.pack('>II', *[(30_000,30_000),(0,8),(2**31-1,1),(8,2**31-1)][rng.integers(4)])
    b[29:33] = struct.pack('>I', zlib.crc32(b[12:29])); path.write_bytes(b)
    return 'declared size'

def spoil_safetensors(rng, path):
    b = path.read_bytes(); n = struct.unpack('<Q', b[:8])[0]
    head = odd_text(rng, b[8:8+n].decode()).encode('utf8', 'surrogatepass')
    n = len(head) if rng.random()<.9 else [0,2**63,10**12][rng.integers(3)]
    path.write_bytes(struct.pack('<Q', n)+head+b[8+len(head):])
    return 'header'

def spoil_table(rng, path):
    rows = [l.split(',') for l in path.read_text().splitlines()]; i = rng.integers(len(rows)); k = rng.integers(len(rows[i]))
    how = rng.integers(5)
    if how==0: rows[i][k] = str(odd(rng)).replace('\ud800','')
    elif how==1: del rows[i][k]
    elif how==2: rows.append(rows[i])
    elif how==3: rows[i] = ['"unclosed']
    else: rows[i].append('more')
    path.write_text('\n'.join(map(','.join, rows)))
    return 'cell'

KNOWN = {'.json':spoil_json, '.h5':spoil_h5, '.npy':spoil_npy, '.png':spoil_png, '.safetensors':spoil_safetensors, '.csv':spoil_table}

def spoil(rng, folder):
    "Damage one file below; what was done"
    files = [o for o in sorted(folder.rglob('*')) if o.is_file() and not o.name.startswith('.')]
    p = files[rng.integers(len(files))]; f = KNOWN.get(p.suffix, spoil_bytes)
    return f'{p.relative_to(folder)}: {(f if rng.random()<.6 else spoil_bytes)(rng, p)}'

# ---------------------------------------------------------------- what is read

def digest(*parts):
    h = hashlib.sha256()
    for o in parts:
        if hasattr(o, 'detach'): o = o.detach().numpy()
        h.update(repr((o.dtype,o.shape)).encode()+np.ascontiguousarray(o).tobytes() if isinstance(o, np.ndarray) else repr(o).encode())
    return h.hexdigest()

def content(source):
    "All that a source of clips holds"
    ep = source.episodes() if hasattr(source, 'episodes') else None
    truth = [] if ep is None else [ep.world, ep.fps, ep.state, *[v for _,v in sorted(ep.params.items())]]
    return digest(list(map(int, source.lengths)), tuple(source.frame_shape), float(source.fps), *[source.frames(i) for i in range(len(source.lengths))], *truth)

def make_episodes(at):
    from world_models.datasets import write_episodes
    write_episodes(at/'set', n=6, n_frames=4, size=16, shard_size=3)
def make_simulated(at):
    from world_models.generation import make_set, plan_world
    make_set(at/'set', plan_world('pendulum', video=True, n=3, n_frames=4, size=16), video=True)
def make_videos(at):
    (at/'set').mkdir()
    x = np.random.default_rng(0).integers(0, 255, (8,16,16,3), np.uint8)
    for name,codec in (('a.mp4','libx264'),('b.mkv','libvpx-vp9'),('c.avi','mpeg4')): write_film(at/'set'/name, x, codec=codec)
def make_array(at): np.save(at/'set.npy', np.random.default_rng(0).integers(0, 255, (3,4,16,16,1), np.uint8))
def make_pictures(at):
    for clip in 'ab':
        (at/'set'/clip).mkdir(parents=True)
        for t in range(3): cv2.imwrite(str(at/'set'/clip/f'{t}.png'), np.random.default_rng(t).integers(0, 255, (16,16,3), np.uint8))
def make_table(at):
    make_videos(at)
    (at/'list.csv').write_text('label,path\n'+''.join(f'dog,{o}\n' for o in ('a.mp4','b.mkv','c.avi')))
    read_table(at) # leaves an index
def make_lance(at):
    from world_models.datasets import open_episodes
    from world_models.streaming import to_lance
    make_episodes(at); to_lance(open_episodes(at/'set'), at/'clips.lance', rows=3); shutil.rmtree(at/'set')
def make_run(at, *cut):
    r = wm('--quick', '--out', 'run', cwd=at, cut=cut or None)
    assert r.code==(-signal.SIGKILL if cut else 0), r.err
    for o in (at/'run', at/'run'/'model', at/'run'/'work'): o.mkdir(exist_ok=True); (o/'.thesis').write_text('three years of work')
def make_half_run(at): make_run(at, 'before', 'metrics.json')
def make_latents(at):
    import torch
    from world_models.listings import save_latents
    save_latents(at/'z.pt', torch.randn(4,3,2,4,4, generator=torch.Generator().manual_seed(0)))
def make_model(at):
    from world_models.presets import preset
    from world_models.world_model import save_model
    from world_models.core import set_seed
    set_seed(0); save_model(preset('latent_resconv', (1,32,32)), at/'model')
def make_split_(at):
    from world_models.splits import wm_split
    make_episodes(at); wm_split(str(at/'set'))

def read_set(at):
    from world_models.sources import open_source
    path = at/'set.npy' if (at/'set.npy').exists() or (at/'set.npy').is_symlink() else at/'set'
    return content(open_source(path))
def read_simulated(at):
    from world_models.generation import open_truth
    ep = open_truth(at/'set')
    return digest(read_set(at), ep.state, ep.fps)
def inspect(at):
    from world_models.inspection import wm_inspect
    wm_inspect(str(at/'set' if (at/'set').exists() else at/'set.npy'), no_sheet=True, deep=True)
def reconvert(at):
    from world_models.conversion import convert
    src = at/'set' if (at/'set').exists() else at/'set.npy'
    with tempfile.TemporaryDirectory() as tmp: return content(convert(src, Path(tmp)/('out.npy' if any((at/'set').glob('*.h5')) else 'out')))
def read_table(at):
    from world_models.listings import KineticsSet
    return content(KineticsSet(at/'list.csv', at/'set', n_frames=4, stride=1))
def read_latents(at):
    from world_models.listings import open_latents
    s = open_latents(at/'z.pt')
    return digest(list(map(int, s.lengths)), *[np.asarray(s.frames(i)) for i in range(len(s))])
def read_model(at):
    import torch
    from world_models.world_model import load_model
    m = load_model(at/'model')
    return digest(*[v for v in m.state_dict().values()])
def read_lance(at):
    "What its library, which is Rust, says of its own panics cannot be stopped from here"
    from world_models.streaming import LanceClips
    return content(LanceClips(at/'clips.lance'))
def take_up(at):
    from world_models.demo import wm_demo
    shrink(**TINY)
    wm_demo(out=str(at/'run'), quick=True, resume=True)
    told = json.loads((at/'run'/'metrics.json').read_text())
    return digest(*[told.get(k) for k in ('psnr','seed')])
def read_split_(at):
    from world_models.splits import read_split
    from world_models.sources import open_source
    return digest(*[(k,v.tolist()) for k,v in read_split(at/'set', open_source(at/'set')).items()])

# kind -> how it is made, the ways in which it is read, do checksums stand for its content?
KINDS = dict(episodes=(make_episodes, (read_set,inspect,reconvert), True), simulated=(make_simulated, (read_simulated,inspect), True),
    videos=(make_videos, (read_set,inspect,reconvert), False), array=(make_array, (read_set,inspect,reconvert), False), pictures=(make_pictures, (read_set,inspect), False),
    table=(make_table, (read_table,), False), latents=(make_latents, (read_latents,), False), model=(make_model, (read_model,), False), split=(make_split_, (read_split_,), True),
    lance=(make_lance, (read_lance,), False), run=(make_run, (take_up,), False), half_run=(make_half_run, (take_up,), False))

# ---------------------------------------------------------------- judgement

def _limits(seconds, extra):
    used = int(Path('/proc/self/statm').read_text().split()[0])*resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used+extra,used+extra))
    signal.alarm(seconds)

def _read(f, at, note):
    from world_models.core import InputError
    os.chdir(at)
    _limits(30, 2<<30)
    try: said = ['read', f(Path(at))]
    except InputError as e: said = ['refused', str(e)]
    except SystemExit as e: said = ['exit', e.code]
    except BaseException as e:
        ours = [o for o in traceback.extract_tb(e.__traceback__) if 'world_models' in o.filename]
        said = ['fault', f'{type(e).__name__}: {str(e)[:90]} in {ours[-1].name if ours else "?"}']
    Path(note).write_text(json.dumps(said))

def tree(folder, what='*'): return {p.relative_to(folder).as_posix(): (p.lstat().st_size, p.lstat().st_mtime_ns) for p in sorted(Path(folder).rglob(what)) if not p.name.endswith('.index.json')}

def outcome(f, at):
    "What reading `at` comes to, in a process of its own with limits: a word and what was said"
    what = '.thesis' if f is take_up else '*'
    was = tree(at, what)
    with tempfile.NamedTemporaryFile() as note:
        r = forked(_read, f, str(at), note.name)
        said = json.loads(Path(note.name).read_text() or 'null')
    if said is None: return 'hang' if r.code==-signal.SIGALRM else 'died', f'{f.__name__}: exit code {r.code} {r.err[-200:]}'
    word,text = said
    if (now := tree(at, what))!=was: return 'wrote', f'{f.__name__} left {set(now)^set(was) or "changed files"}'
    if word=='exit': # of a command
        ok = text==2 and len(r.lines)==1 and r.err.isprintable() is False
        return ('refused', r.lines[-1]) if ok else ('fault', f'{f.__name__}: exit {text}: {r.err[-300:]}')
    if word=='refused' and (not text.isprintable() or text.count(';')<2 or len(text)>600): return 'fault', f'{f.__name__}: not one line: {text[:300]!r}'
    if r.lines and f is not read_lance: return 'fault', f'{f.__name__}: noise: {r.err[-200:]!r}'
    return word,text

class Good:
    "A whole example of each kind, and what reading it gives"
    def __init__(self, folder, kinds=KINDS):
        self.folder = Path(folder); self.want = {}
        for k in kinds:
            make,reads,_ = KINDS[k]
            (self.folder/k).mkdir(parents=True)
            r = forked(make, self.folder/k)
            assert r.code==0, f'{k}: {r.err}'
            for f in reads:
                with tempfile.TemporaryDirectory(dir=self.folder) as tmp: word,text = outcome(f, shutil.copytree(self.folder/k, Path(tmp)/'a')) # a run that is taken up is no more what it was
                assert word=='read', (k, f.__name__, word, text)
                self.want[k,f.__name__] = text

    def case(self, kind, seed, keep=None):
        "Damage a copy and read it: the verdict and the story"
        rng = np.random.default_rng([seed, *kind.encode()])
        _,reads,strict = KINDS[kind]; f = reads[rng.integers(len(reads))]
        with tempfile.TemporaryDirectory(dir=self.folder) as tmp:
            at = Path(tmp)/'a'; shutil.copytree(self.folder/kind, at)
            done = spoil(rng, at)
            word,text = outcome(f, at)
            if word=='read': word = 'fine' if text==self.want[kind,f.__name__] else 'other content' if strict and 'forged' not in done else 'changed'
            if keep and word in FELL_SHORT: shutil.copytree(at, Path(keep)/f'{kind}-{seed}', symlinks=True)
        return word, f'{kind} {seed} {f.__name__}: {done} -> {word}: {text}'

FELL_SHORT = 'fault','hang','died','wrote','other content'

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--n', type=int, default=300); p.add_argument('--seed', type=int, default=0); p.add_argument('--only', default=','.join(KINDS)); p.add_argument('--show', action='store_true')
    p.add_argument('--keep', help='folder for copies of what fell short')
    o = p.parse_args(); kinds = o.only.split(','); count = collections.Counter()
    with tempfile.TemporaryDirectory() as tmp:
        good = Good(tmp, kinds)
        with ThreadPoolExecutor(2) as pool:
            for word,story in pool.map(lambda i: good.case(kinds[i%len(kinds)], o.seed*10**6+i, o.keep), range(o.n)):
                count[word] += 1
                if word in FELL_SHORT or o.show: print(story, flush=True)
    print(f'{o.n} cases:', ', '.join(f'{v} {k}' for k,v in count.most_common()))
    sys.exit(any(count[k] for k in FELL_SHORT))

if __name__=='__main__': main()
