"Run every notebook from its top to its end, as one case each, two at a time, each in a process of its own"
import os, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import pytest
from nbdev.config import get_config
from nbdev.doclinks import nbglob
from child import ONE_THREAD

root = Path(__file__).resolve().parent.parent
cfg = get_config(root)
nbs = sorted(nbglob(cfg.nbs_path, as_path=True))
skip = cfg.tst_flags if isinstance(cfg.tst_flags, list) else cfg.tst_flags.split()
force = os.environ.get('NB_FLAGS', '').split() # NB_FLAGS="slow cuda" runs what is flagged so

def run(nb):
    code = 'import sys; from nbdev.test import test_nb; ' \
        f'sys.exit(not test_nb({str(nb)!r}, skip_flags={skip}, force_flags={force}, basepath={str(root)!r}, cell_timeout={cfg.cell_timeout})[0])'
    return subprocess.run([sys.executable,'-c',code], cwd=root, capture_output=True, text=True, env=os.environ|ONE_THREAD)

@pytest.fixture(scope='module')
def running(request):
    "The chosen notebooks, the last ones, which take longest, begun first"
    chosen = [o.callspec.params['nb'] for o in request.session.items if o.path==request.path and hasattr(o,'callspec')]
    with ThreadPoolExecutor(2) as pool:
        yield {nb: pool.submit(run, nb) for nb in reversed(chosen)}
        pool.shutdown(cancel_futures=True)

@pytest.mark.parametrize('nb', nbs, ids=lambda p: p.relative_to(cfg.nbs_path).with_suffix('').as_posix())
def test_notebook(nb, running):
    r = running[nb].result()
    assert r.returncode==0, f'{nb.name} failed\n{r.stdout[-3000:]}\n{r.stderr[-6000:]}'
