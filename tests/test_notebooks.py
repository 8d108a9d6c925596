"Run every notebook from its top to its end, as one case each, two at a time, each in a process of its own, forked from one that has the libraries loaded"
import multiprocessing, os, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import pytest
from nbdev.config import get_config
from nbdev.doclinks import nbglob
from child import forked

root = Path(__file__).resolve().parent.parent
cfg = get_config(root)
nbs = sorted(nbglob(cfg.nbs_path, as_path=True))
skip = cfg.tst_flags if isinstance(cfg.tst_flags, list) else cfg.tst_flags.split()
force = os.environ.get('NB_FLAGS', '').split() # NB_FLAGS="slow cuda" runs what is flagged so

def page(nb):
    from nbdev.test import test_nb
    from torch import Tensor
    if hasattr(Tensor, '__array_eq__'): del Tensor.__array_eq__ # fastai's word on equality, of which a page that does not load it knows nothing
    os.chdir(root)
    multiprocessing.set_start_method('fork', force=True) # as in a process that nobody forked
    sys.exit(not test_nb(nb, skip_flags=skip, force_flags=force, basepath=root, cell_timeout=cfg.cell_timeout)[0])

@pytest.fixture(scope='module')
def running(request):
    "The chosen notebooks, the last ones, which take longest, begun first"
    chosen = [o.callspec.params['nb'] for o in request.session.items if o.path==request.path and hasattr(o,'callspec')]
    with ThreadPoolExecutor(2) as pool:
        yield {nb: pool.submit(forked, page, nb) for nb in reversed(chosen)}
        pool.shutdown(cancel_futures=True)

@pytest.mark.parametrize('nb', nbs, ids=lambda p: p.relative_to(cfg.nbs_path).with_suffix('').as_posix())
def test_notebook(nb, running):
    r = running[nb].result()
    assert r.code==0, f'{nb.name} failed\n{r.out[-3000:]}\n{r.err[-6000:]}'
