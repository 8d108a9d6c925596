"Layout rules that nbdev does not check"
import ast, filecmp, importlib, json, os, re, shutil, subprocess, sys
from configparser import ConfigParser
from pathlib import Path
import pytest
from fastcore.nbio import read_nb
from nbdev.config import get_config
from nbdev.doclinks import nbglob

root = Path(__file__).resolve().parent.parent
cfg = get_config(root)
pkg = cfg.lib_path
pages = sorted(nbglob(cfg.nbs_path, as_path=True))

def exps():
    "`{module: notebook}` for every notebook with a `default_exp`"
    res = {}
    for f in pages:
        for c in read_nb(f).cells:
            if m := c.directives.get('default_exp') if c.cell_type=='code' else None: res[m] = f
    return res

def imports(module):
    "Every absolute name that a module of the package imports, anywhere in it"
    for t in ast.walk(ast.parse((pkg/(module.replace('.','/')+'.py')).read_text())):
        if isinstance(t, ast.Import): yield from (a.name for a in t.names)
        elif isinstance(t, ast.ImportFrom):
            base = '.'.join([pkg.name, *module.split('.')[:-t.level]]) if t.level else ''
            base = '.'.join(o for o in (base, t.module) if o)
            yield base
            yield from (f'{base}.{a.name}' for a in t.names)

def test_modules_and_notebooks_match():
    mods = {'.'.join(p.relative_to(pkg).with_suffix('').parts) for p in pkg.rglob('*.py') if p.name not in ('__init__.py','_modidx.py')}
    assert mods == set(exps())

def test_no_upward_import():
    "A module imports only from modules whose notebook sorts before its own, so there can be no circle"
    order = {f'{pkg.name}.{m}':f.name for m,f in exps().items()}
    for m,nm in exps().items():
        for o in imports(m): assert o not in order or order[o] < nm.name, f'{m} imports {o}'

def test_only_training_imports_fastai():
    assert [m for m in exps() if any(o.split('.')[0]=='fastai' for o in imports(m))] == ['callbacks','training']

def test_every_module_imports():
    for m in exps(): importlib.import_module(f'{pkg.name}.{m}')

@pytest.mark.parametrize('module', ['core','simulation','rendering','shards','labels','datasets','generation','sources','cards','conversion','inspection','splits','demo'])
def test_data_rooms_do_not_load_torch(module):
    code = f'import sys, {pkg.name}.{module}; sys.exit(", ".join({{"torch","fastai"}} & set(sys.modules)))'
    assert subprocess.run([sys.executable,'-c',code], cwd=root, capture_output=True, text=True).stderr.strip() == ''

def test_no_star_import():
    for p in pkg.rglob('*.py'):
        for t in ast.walk(ast.parse(p.read_text())):
            if isinstance(t, ast.ImportFrom): assert not any(a.name=='*' for a in t.names), f'{p.name} line {t.lineno}'

def test_imports_have_cells_of_their_own():
    "The site runs each cell that imports, alone: one that needs cells above it breaks the whole site"
    for f in pages:
        for c in read_nb(f).cells:
            if c.cell_type!='code' or 'export' in c.directives: continue
            kinds = {isinstance(o, (ast.Import,ast.ImportFrom)) for o in ast.parse(re.sub(r'^[%!].*', '', c.source, flags=re.M)).body}
            assert kinds!={True,False}, f'{f.name} {c.id}'

def test_versions():
    cp = ConfigParser(interpolation=None); cp.read(root/'settings.ini')
    assert cp['DEFAULT']['version'] == cfg.version

def test_console_scripts_exist():
    cp = ConfigParser(interpolation=None); cp.read(root/'settings.ini')
    for name,target in (o.split('=') for o in cp['DEFAULT']['console_scripts'].split()):
        module,f = target.split(':')
        assert callable(getattr(importlib.import_module(module), f)), name

def test_every_export_has_its_docments():
    "Each exported function says in a line what it does, and in a comment what each parameter is"
    public = lambda body, kind: [o for o in body if isinstance(o, kind) and (o.name=='__init__' or not o.name.startswith('_'))]
    for m in exps():
        text = (pkg/(m.replace('.','/')+'.py')).read_text()
        rows,tree = text.splitlines(),ast.parse(text)
        for o in public(tree.body, (ast.FunctionDef,ast.ClassDef)): assert ast.get_docstring(o), f'{m}.{o.name} has no docstring'
        methods = [f for c in public(tree.body, ast.ClassDef) for f in public(c.body, ast.FunctionDef)]
        for f in public(tree.body, ast.FunctionDef)+methods:
            assert f.end_lineno-f.lineno < 45, f'{m}.{f.name} is {f.end_lineno-f.lineno} lines long'
            bare = [a.arg for a in f.args.args+f.args.kwonlyargs if a.arg not in ('self','cls') and '#' not in rows[a.end_lineno-1]]
            assert not bare, f'{m}.{f.name}: nothing is said of {", ".join(bare)}'

def test_notebooks():
    for f in pages:
        nb = read_nb(f)
        assert f.stat().st_size < 500_000, f'{f.name} is {f.stat().st_size//1000} kB'
        assert nb.nbformat_minor >= 5
        ids = [c.id for c in nb.cells]; assert len(ids)==len(set(ids)), f.name
        for c in nb.cells:
            for o in c.get('outputs', []):
                s = str({k:v for k,v in o.items() if k!='data'}) + ''.join(str(v) for k,v in o.get('data',{}).items() if not k.startswith('image'))
                assert o.output_type!='error' and o.get('name')!='stderr', f'{f.name} {c.id}'
                assert not re.search(r'/(home|root|tmp|Users)/|site-packages|at 0x[0-9a-f]{6,}', s), f'{f.name} {c.id}'

def test_pages_open_alike():
    "Title and one short line, then where the page exports to; at most 300 exported lines"
    for f in pages:
        cells = read_nb(f).cells
        title = cells[0].source.splitlines()
        assert re.fullmatch(r'# \S.*', title[0]), f.name
        line = next(l for l in title if l.startswith('> '))
        assert len(line) <= 92, f'{f.name}: {line}'
        if f.name=='index.ipynb': continue
        assert 'default_exp' in cells[1].directives, f.name
        n = sum(len(c.source.splitlines()) for c in cells if c.cell_type=='code' and 'export' in c.directives)
        assert n < 310, f'{f.name} exports {n} lines'

def test_export_in_step(tmp_path):
    "The package equals what the notebooks export, and exporting is idempotent"
    for o in ('pyproject.toml','settings.ini',cfg.nbs_path.name,pkg.name):
        s = root/o
        if s.is_dir(): shutil.copytree(s, tmp_path/o, symlinks=True, ignore=shutil.ignore_patterns('__pycache__'))
        else: shutil.copy(s, tmp_path/o)
    env = {k:v for k,v in os.environ.items() if k!='IN_TEST'}
    for p in (tmp_path/pkg.name).rglob('*.py'):
        if p.name!='__init__.py': p.unlink()
    subprocess.run([Path(sys.executable).parent/'nbdev-export'], cwd=tmp_path, check=True, env=env)
    made = {p.relative_to(tmp_path) for p in (tmp_path/pkg.name).rglob('*.py')}
    assert made == {p.relative_to(root) for p in pkg.rglob('*.py')}
    for p in made: assert filecmp.cmp(tmp_path/p, root/p, shallow=False), f'{p} differs: run nbdev-export'

@pytest.mark.parametrize('file', sorted((root/'benchmarks'/'results').glob('*.json')), ids=lambda p: p.stem)
def test_results_say_where_they_come_from(file):
    "Commit without changes, command, seed and machine of each stored result, and a program that makes it again"
    m = json.loads(file.read_text())['manifest']
    assert re.fullmatch('[0-9a-f]{40}', m['commit']), f'{file.name} from commit {m["commit"]}'
    assert re.fullmatch(rf'(python benchmarks/{file.stem}\.py|wm-demo)( .*)?', m['command']) and not re.search(r'(^| )/|--out', m['command']), m['command']
    assert 'seed' in m and m['cpu'] and m['cores'] and m['threads'] and m['versions']['torch'] and m['date']
    assert (root/'benchmarks'/f'{file.stem}.py').exists()
