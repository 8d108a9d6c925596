"The site, as far as it can be built without Quarto: pages staged, sidebar complete, front page in step"
import functools, importlib, inspect, json, os, re, shutil, subprocess, sys
from pathlib import Path
import pytest
from nbdev.config import get_config
from nbdev.doclinks import nbglob
from child import forked

root = Path(__file__).resolve().parent.parent
cfg = get_config(root)
pages = {p.relative_to(cfg.nbs_path).as_posix() for p in nbglob(cfg.nbs_path, as_path=True)}

def stage(copy):
    "What `nbdev-proc-nbs` does, in a process that has the libraries loaded; nbdev reads its settings for each cell, here once"
    import nbdev.config, nbdev.processors, nbdev.process, nbdev.serve, nbdev.serve_drv
    os.chdir(copy)
    once = functools.cache(nbdev.config.get_config)
    for m in (nbdev.config, nbdev.processors, nbdev.process, nbdev.serve, nbdev.serve_drv):
        if hasattr(m, 'get_config'): m.get_config = once
    nbdev.serve.proc_nbs(n_workers=0)

@pytest.fixture(scope='module')
def staged(tmp_path_factory):
    "A copy of the project in which the pages have been staged for Quarto"
    copy = tmp_path_factory.mktemp('docs')/'project'
    leave = shutil.ignore_patterns('.*','demo','_proc','_docs','build','*.egg-info','__pycache__','results')
    shutil.copytree(root, copy, symlinks=True, ignore=leave)
    return copy, forked(stage, copy)

def test_every_page_is_staged(staged):
    copy,r = staged
    assert r.code==0 and 'Traceback' not in r.err and 'Error' not in r.err, r.out+r.err
    assert {p.relative_to(copy/'_proc').as_posix() for p in (copy/'_proc').rglob('*.ipynb')} == pages

def test_what_is_exported_is_documented(staged):
    "Each name in `__all__` that is a function or a class has its signature on the page"
    copy,_ = staged
    text = ''.join((copy/'_proc'/p).read_text() for p in pages)
    shown = lambda m: [n for n in m.__all__ if inspect.isclass(getattr(m,n)) and not issubclass(getattr(m,n), tuple) or inspect.isfunction(getattr(m,n))]
    modules = [importlib.import_module(f'{cfg.lib_path.name}.{p.stem}') for p in cfg.lib_path.glob('[!_]*.py')]
    names = {n for m in modules for n in shown(m)}
    assert len(names)>40
    for n in names: assert re.search(rf'### {n}\b', text), n

def test_settings_are_the_top_level_text(staged):
    link,top = cfg.nbs_path/'_quarto.yml', root/'_quarto.yml'
    assert link.is_symlink() and os.readlink(link)=='../_quarto.yml' and not top.is_symlink()
    assert (staged[0]/'_proc'/'_quarto.yml').read_text() == top.read_text()

def test_sidebar_lists_every_page_once():
    side = (root/'_quarto.yml').read_text().split('sidebar:')[1].split('\nformat:')[0]
    listed = re.findall(r'[\w/]+\.ipynb', side)
    assert sorted(listed)==sorted(pages)

def test_links_between_pages_lead_somewhere():
    for p in pages:
        for c in json.loads((cfg.nbs_path/p).read_text())['cells']:
            if c['cell_type']!='markdown': continue
            for target in re.findall(r'\]\((?!https?:)([^)#\s]+)[^)]*\)', ''.join(c['source'])):
                assert (cfg.nbs_path/p).parent.joinpath(target).exists(), f'{p} {c["id"]}: {target}'

def test_readme_is_the_front_page():
    r = subprocess.run([sys.executable, root/'.ci'/'readme.py', '--check'], cwd=root, capture_output=True, text=True)
    assert r.returncode==0, r.stderr
