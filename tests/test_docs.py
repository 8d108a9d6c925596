"The site, as far as it can be built without Quarto: pages staged, sidebar complete, front page in step"
import importlib, inspect, json, os, re, shutil, subprocess, sys
from pathlib import Path
import pytest
from nbdev.config import get_config
from nbdev.doclinks import nbglob
from child import BIN, THREADS

root = Path(__file__).resolve().parent.parent
cfg = get_config(root)
pages = {p.relative_to(cfg.nbs_path).as_posix() for p in nbglob(cfg.nbs_path, as_path=True)}

@pytest.fixture(scope='module')
def staged(tmp_path_factory):
    "A copy of the project in which `nbdev-proc-nbs` has run, with a `quarto` that does nothing, so that nobody installs one"
    tmp = tmp_path_factory.mktemp('docs')
    fake,copy = tmp/'bin'/'quarto', tmp/'project'
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\nexit 0\n'); fake.chmod(0o755)
    leave = shutil.ignore_patterns('.*','demo','_proc','_docs','build','*.egg-info','__pycache__','results')
    shutil.copytree(root, copy, symlinks=True, ignore=leave)
    env = os.environ | THREADS | dict(PATH=f'{fake.parent}:{BIN}:{os.environ["PATH"]}', PYTHONPATH=str(copy))
    env.pop('IN_TEST', None)
    r = subprocess.run([BIN/'nbdev-proc-nbs'], cwd=copy, env=env, capture_output=True, text=True)
    return copy, r

def test_every_page_is_staged(staged):
    copy,r = staged
    assert r.returncode==0, r.stdout+r.stderr
    assert 'Traceback' not in r.stderr and 'Error' not in r.stderr, r.stderr
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
