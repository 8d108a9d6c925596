"Runs `wm-demo` in a process forked from one that has torch loaded, with a tiny plan, and with a power cut where asked"
import multiprocessing, os, re, resource, runpy, shutil, signal, sys, tempfile
from functools import partial
from pathlib import Path
from types import SimpleNamespace

WM = Path(sys.executable).parent/'wm-demo'
PRELOAD = ['world_models.demo','world_models.training','world_models.evaluation','world_models.rollout','matplotlib.backends.backend_agg']
BAR = re.compile(r'\d+% \|')

def tiny():
    "The quick job with still less of everything: seconds of work, several shards"
    from world_models import datasets, demo, training
    demo.QUICK = dict(n_clips=30, draw_steps=10, foretell_steps=10)
    for name,small in (('write_episodes',dict(shard_size=5)), ('import_videos',dict(shard_size=5))):
        setattr(datasets, name, partial(getattr(datasets,name), **small))
    for name in ('fit_autoencoder','fit_dynamics'):
        def fit(*args, _fit=getattr(training,name), **kw): return _fit(*args, **kw|dict(bs=4))
        setattr(training, name, fit)

def cut_power(when, name, at=1):
    """Die by SIGKILL just `before` or `after` the `at`-th file `name` is put in its place, or in the middle of `removing` the folder `name`;
    or be told by `interrupt` (Ctrl-C) to stop before that file is in its place"""
    def die(): os.kill(os.getpid(), signal.SIGINT if when=='interrupt' else signal.SIGKILL)
    put,remove,seen = os.replace,shutil.rmtree,[]
    def replace(src, dst, **kw):
        hit = re.fullmatch(name, Path(dst).name) is not None
        if hit: seen.append(dst)
        if hit and len(seen)==at and when in ('before','interrupt'): die()
        put(src, dst, **kw)
        if hit and len(seen)==at and when=='after': die()
    def rmtree(path, *args, **kw):
        if when!='removing' or Path(path).name!=name: return remove(path, *args, **kw)
        for p in sorted(Path(path).rglob('*.*'))[1::2]: p.unlink()
        die()
    os.replace,shutil.rmtree = replace,rmtree

def main(argv, cwd, files, full, cut, fsize):
    "What the forked process does"
    os.chdir(cwd)
    for fd,f in zip((1,2), files): os.dup2(os.open(f, os.O_WRONLY|os.O_CREAT|os.O_TRUNC), fd)
    if not full: tiny()
    if cut is not None: cut_power(*cut)
    if fsize is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (fsize,fsize))
    sys.argv = [str(WM), *map(str,argv)]
    runpy.run_path(str(WM), run_name='__main__')

def lines(text):
    "What is left on a terminal, without progress bars"
    return [l for l in re.split(r'[\r\n]+', text) if l.strip() and not BAR.search(l)]

def wm(*argv, cwd='.', full=False, cut=None, fsize=None):
    "Run `wm-demo` with these arguments; its exit code (negative for a signal), standard output, and standard error"
    os.environ['OMP_NUM_THREADS'] = '1'
    ctx = multiprocessing.get_context('forkserver')
    ctx.set_forkserver_preload(PRELOAD)
    with tempfile.TemporaryDirectory() as tmp:
        files = [str(Path(tmp)/o) for o in ('out','err')]
        p = ctx.Process(target=main, args=(list(map(str,argv)), str(cwd), files, full, cut, fsize))
        p.start(); p.join()
        out,err = (Path(f).read_text() if Path(f).exists() else '' for f in files)
    return SimpleNamespace(code=p.exitcode, out=out, err=err, lines=lines(err), argv=argv)
