"Write README.md from nbs/index.ipynb; `--check` compares instead. Pictures and pages get the addresses they have on the web"
import re, sys
from pathlib import Path
import tomllib
from fastcore.nbio import read_nb, render_text

root = Path(__file__).resolve().parent.parent
urls = tomllib.loads((root/'pyproject.toml').read_text())['project']['urls']
raw = urls['Repository'].replace('github.com','raw.githubusercontent.com') + '/main/nbs/'

def addresses(text):
    text = re.sub(r'(!\[[^]]*\]\()(?!http)', rf'\g<1>{raw}', text)
    text = re.sub(r'(?<!!)(\[[^]]*\]\()(?:\w+/)*(?:\d+\w*?_)?(\w+)\.ipynb\)', rf'\g<1>{urls["Documentation"]}\g<2>.html)', text)
    return text

def readme(nb):
    out = ['<!-- Made from nbs/index.ipynb by .ci/readme.py; edit the notebook -->']
    for c in nb.cells:
        marks = set(c.directives)
        if c.cell_type=='raw' or (c.cell_type=='code' and marks & {'hide','export','exporti','default_exp'}): continue
        c.remove_directives()
        if not c.source.strip(): continue
        if c.cell_type=='markdown': out.append(addresses(c.source.strip())); continue
        if 'echo' not in marks: out.append(f'```python\n{c.source.strip()}\n```')
        if text := render_text(c.get('outputs') or []).rstrip(): out.append('\n'.join('    '+l for l in text.splitlines()))
    return '\n\n'.join(out)+'\n'

text, file = readme(read_nb(root/'nbs'/'index.ipynb')), root/'README.md'
if '--check' in sys.argv: sys.exit(0 if file.exists() and file.read_text()==text else 'README.md differs from nbs/index.ipynb: run python .ci/readme.py')
file.write_text(text)
