"Runs `wm-demo` in a process forked from one that has torch loaded already, with a tiny plan, and with a power cut where asked"
import multiprocessing, os, re, resource, runpy, signal, sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace

BIN = Path(sys.executable).parent
WM = BIN/'wm-demo'
THREADS = {f'{o}_NUM_THREADS': os.environ.get('OMP_NUM_THREADS','1') for o in ('OMP','OPENBLAS','MKL')} # one, unless somebody wants to see it with more
PRELOAD = ['torch._dynamo','timm','pandas','scipy.stats','matplotlib.pyplot','nbdev.test','nbdev.showdoc','world_models.training','world_models.evaluation','world_models.demo']
BAR = re.compile(r'\d+% \|')

def hearing():
    "In a child: take signals as if started from a terminal; what `nohup` or a background job starts is born deaf"
    for s in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM): signal.signal(s, signal.SIG_DFL)

def lines(text):
    "What is left on a terminal, without progress bars"
    return [l for l in re.split(r'[\r\n]+', text) if l.strip() and not BAR.search(l)]

def drain(pipe):
    "All that comes out of a pipe"
    said = b''.join(iter(lambda: os.read(pipe.fileno(), 65536), b''))
    pipe.close()
    return said.decode()

def _inside(pipes, f, args):
    for fd,w in zip((1,2), pipes): os.dup2(w.fileno(), fd); w.close()
    f(*args)

def forked(f, *args):
    "Run `f(*args)` in a fresh process; its exit code (negative for a signal), standard output and standard error"
    os.environ.update(THREADS)
    ctx = multiprocessing.get_context('forkserver')
    ctx.set_forkserver_preload(PRELOAD)
    pipes = [ctx.Pipe(duplex=False) for _ in range(2)]
    p = ctx.Process(target=_inside, args=([w for _,w in pipes], f, args))
    p.start()
    for _,w in pipes: w.close()
    with ThreadPoolExecutor(2) as pool: out,err = pool.map(drain, [r for r,_ in pipes])
    p.join()
    return SimpleNamespace(code=p.exitcode, out=out, err=err, lines=lines(err))

# ---------------------------------------------------------------- wm-demo

# what `--quick` shall mean here: seconds of work, several shards
TINY = dict(plan=dict(n_clips=30, draw_steps=10, draw_bs=4, foretell_steps=10, foretell_bs=4))
SMALL = dict(plan=dict(n_clips=300, draw_steps=250, draw_bs=32, foretell_steps=150, foretell_bs=8), size=32) # enough to learn one pendulum

def shrink(plan, **films):
    "Make the quick job another one"
    from world_models import datasets, demo
    demo.QUICK = plan
    datasets.write_episodes = partial(datasets.write_episodes, shard_size=5)
    datasets.import_videos = partial(datasets.import_videos, shard_size=5, **films)

def cut_power(when, name, at=1):
    """Die by SIGKILL just `before` or `after` the `at`-th file `name` is put in its place, or in the middle of `removing` the folder `name`;
    or be told by `interrupt` (Ctrl-C) to stop before that file is in its place"""
    def die(): signal.raise_signal(signal.SIGINT if when=='interrupt' else signal.SIGKILL) # to this thread, so that it is heard at once
    signal.signal(signal.SIGINT, signal.default_int_handler) # a shell's background jobs are born deaf to it
    put,remove,seen = os.replace,os.unlink,[]
    def replace(src, dst, **kw):
        hit = re.fullmatch(name, Path(dst).name) is not None
        if hit: seen.append(dst)
        if hit and len(seen)==at and when in ('before','interrupt'): die()
        put(src, dst, **kw)
        if hit and len(seen)==at and when=='after': die()
    def unlink(path, **kw):
        if when=='removing' and name in Path(path).parts: seen.append(path)
        if when=='removing' and len(seen)==2: die()
        remove(path, **kw)
    os.replace,os.unlink = replace,unlink

def _demo(argv, cwd, job, cut, fsize):
    os.chdir(cwd)
    shrink(**job)
    if cut is not None: cut_power(*cut)
    if fsize is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (fsize,fsize))
    sys.argv = [str(WM), *argv]
    runpy.run_path(str(WM), run_name='__main__')

def wm(*argv, cwd='.', job=TINY, cut=None, fsize=None):
    "Run the console script with these arguments, perhaps with a power cut, perhaps where no file may grow beyond `fsize` bytes"
    return forked(_demo, [str(o) for o in argv], str(cwd), job, cut, fsize)
