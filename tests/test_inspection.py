"`wm-inspect` and `wm-split` from outside, on folders with whole, torn, missing and foreign files"
import json, os, shutil, subprocess, sys
from pathlib import Path
import numpy as np
import pytest
from child import BIN, THREADS
from world_models.datasets import VideoSet, find_videos, open_episodes, split_clips, write_episodes, write_video
from world_models.splits import read_split

def run(name, *argv, cwd):
    "Run a console script as a user does"
    return subprocess.run([BIN/name, *map(str,argv)], cwd=cwd, capture_output=True, text=True, env=os.environ|THREADS)

def digest(folder): return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(Path(folder).rglob('*')) if p.is_file()}

@pytest.fixture(scope='module')
def data(tmp_path_factory):
    "Two worlds and three films; tests copy it"
    root = tmp_path_factory.mktemp('data')
    for world in ('bouncing_balls','pendulum'): write_episodes(root/'worlds'/world, world, n=30, n_frames=12, shard_size=12, size=32)
    x = open_episodes(root/'worlds'/'pendulum').all_frames(range(3))
    for i in range(3): write_video(root/'films'/f'{i}.mp4', x[i])
    return root

@pytest.fixture
def copy(data, tmp_path):
    shutil.copytree(data, tmp_path/'d')
    return tmp_path/'d'

@pytest.mark.parametrize('name', ['wm-inspect','wm-split'])
def test_help_teaches(name):
    r = run(name, '--help', cwd='.')
    assert r.returncode==0 and 'Example' in r.stdout, r.stderr

def test_inspection_does_not_load_torch():
    code = 'import sys, world_models.inspection; sys.exit(", ".join({"torch","fastai","matplotlib"} & set(sys.modules)))'
    assert subprocess.run([sys.executable,'-c',code], capture_output=True, text=True).stderr.strip()==''

def test_inspect_lists_all_sets_and_leaves_them_alone(copy, tmp_path):
    before = digest(copy)
    r = run('wm-inspect', copy, cwd=tmp_path)
    assert r.returncode==0 and r.stderr=='', r.stderr
    assert r.stdout.count('30 clips of 12 frames')==2 and '3 of 12 frames' in r.stdout
    assert digest(copy)==before and (tmp_path/'contact_sheet.png').stat().st_size>500
    assert not list(tmp_path.glob('.*'))

def test_inspect_draws_nothing_when_asked(copy, tmp_path):
    assert run('wm-inspect', copy, '--no-sheet', cwd=tmp_path).returncode==0
    assert [p.name for p in tmp_path.iterdir()]==['d']

def spoil_torn(d): f = d/'worlds/pendulum/shard-00001.h5'; f.write_bytes(f.read_bytes()[:3000]); return 'shard-00001.h5 is a torn HDF5 file'
def spoil_missing(d): (d/'worlds/pendulum/shard-00000.h5').unlink(); return '1 shard not there: 0'
def spoil_mixed(d): shutil.copy(d/'worlds/bouncing_balls/shard-00002.h5', d/'worlds/pendulum/shard-00002.h5'); return 'shard-00002.h5 was made with world='
def spoil_text(d): (d/'worlds/pendulum/shard-00002.h5').write_text('milk'); return 'shard-00002.h5 is no HDF5 file'
def spoil_film(d): (d/'films/1.mp4').write_bytes(b'x'*500); return '1.mp4: torn, or no video at all'
def spoil_cut(d): f = d/'films/1.mp4'; f.write_bytes(f.read_bytes()[:-200]); return '1.mp4'
def spoil_array(d): np.save(d/'a.npy', np.zeros((2,3,8,8))); return 'expected bytes, uint8'
def spoil_pickle(d): np.save(d/'a.npy', np.array([{}], object), allow_pickle=True); return 'torn, or holds more than numbers'

@pytest.mark.parametrize('spoil', [v for k,v in sorted(globals().items()) if k.startswith('spoil_')])
def test_inspect_names_what_is_broken_and_lists_the_rest(copy, tmp_path, spoil):
    why = spoil(copy)
    r = run('wm-inspect', copy, cwd=tmp_path)
    assert r.returncode==2 and 'Traceback' not in r.stderr
    assert [l for l in r.stdout.splitlines() if 'PROBLEM' in l and why in l], r.stdout
    assert 'bouncing_balls\n' in r.stdout and '30 clips' in r.stdout
    assert r.stderr.startswith('wm-inspect: 1 problem') and r.stderr.count('\n')==1

@pytest.mark.parametrize('what', ['nowhere','empty'])
def test_inspect_of_nothing_is_one_line(tmp_path, what):
    (tmp_path/'empty').mkdir()
    r = run('wm-inspect', what, cwd=tmp_path)
    assert r.returncode==2 and 'Traceback' not in r.stderr and r.stderr.count('\n')==1

def test_split_is_deterministic_and_adds_one_file(copy, tmp_path):
    before = digest(copy)
    for _ in range(2):
        r = run('wm-split', copy/'films', '--fractions', '.4,.3,.3', '--seed', 7, cwd=tmp_path)
        assert r.returncode==0 and 'train 1, valid 1, test 1' in r.stdout
    after = digest(copy)
    note = json.loads(after.pop('films/split.json'))
    assert after==before
    assert sorted(o for v in note['parts'].values() for o in v)==['0.mp4','1.mp4','2.mp4']
    films = VideoSet(find_videos(copy/'films')[0])
    want = split_clips(3, (.4,.3,.3), 7)
    assert {k:list(v) for k,v in read_split(copy/'films', films).items()}=={k:list(v) for k,v in want.items()}

@pytest.mark.parametrize('argv,why', [(['worlds','--out','s.json'],'2 sets'), (['films','--fractions','.5,.5'],'three numbers'),
    (['films','--fractions','.9,.2,.1'],'add up to 1'), (['nowhere'],'is not there')])
def test_split_refuses_in_one_line(copy, argv, why):
    before = digest(copy)
    r = run('wm-split', *argv, cwd=copy)
    assert r.returncode==2 and why in r.stderr and r.stderr.count('\n')==1, r.stderr
    assert digest(copy)==before
