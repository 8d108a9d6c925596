"The command line, from outside: help, a run, the same run again, power cuts, wrong input, videos that nobody here made"
import json, os, re, resource, shutil, signal, subprocess, sys, time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
import av, h5py
import numpy as np
import pytest
from child import BIN, THREADS, SMALL, WM, hearing, lines, wm
from films import ENVS, make_films, write_film
from world_models.shards import _checksum
from world_models.storage import MARK, locked

RESULTS = {'rollout.mp4','rollout.png','horizon.png','metrics.json','model','model/config.json','model/model.safetensors',
    'manifest.json','index.html','plan.json'}
SYSTEMS = ['model','copy_last','constant_velocity','mean_frame','constant_disc','floor']

def console(*argv, cwd='.'):
    "Run the console script as a user does, in a process of its own"
    r = subprocess.run([WM, *map(str,argv)], cwd=cwd, capture_output=True, text=True, env=os.environ|THREADS)
    r.lines = lines(r.stderr)
    return r

def tree(folder, but=()):
    "Every file and folder below, with its bytes, but for the markers of who made a folder"
    return {n: p.read_bytes() if p.is_file() else None for p in sorted(Path(folder).rglob('*')) if p.name!=MARK and (n := p.relative_to(folder).as_posix()) not in but}

def numbers(out):
    "`metrics.json` without what a clock or a scale measured"
    m = json.loads((Path(out)/'metrics.json').read_text())
    return {k:v for k,v in m.items() if k not in ('seconds','peak_rss_mb')}

def assert_same_run(a, b):
    "Two folders hold the same files with the same contents, as far as no clock is in them"
    assert set(tree(a)) == set(tree(b))
    assert numbers(a) == numbers(b)
    for name in ('model/model.safetensors','model/config.json','rollout.mp4','rollout.png','horizon.png','plan.json'):
        assert (Path(a)/name).read_bytes() == (Path(b)/name).read_bytes(), name

# ---------------------------------------------------------------- long runs, two at a time, beside the short tests

JOBS = {}
def job(f):
    "What takes seconds: begun when the first test wants such a thing, in the order of the file"
    JOBS[f.__name__] = f
    return f

def of(*names): return pytest.mark.parametrize('run', names, indirect=True, scope='session')

@pytest.fixture(scope='session')
def jobs(request, tmp_path_factory):
    wanted = dict.fromkeys(n for o in request.session.items if hasattr(o,'callspec') and (n := o.callspec.params.get('run')))
    wanted = ['whole', *(n for n in JOBS if n in wanted and n!='whole')]
    with ThreadPoolExecutor(2) as pool:
        yield {n: pool.submit(JOBS[n], tmp_path_factory.mktemp(n)) for n in wanted}
        pool.shutdown(cancel_futures=True)

@pytest.fixture(scope='session')
def run(request, jobs): return jobs[request.param].result()

@pytest.fixture(scope='session')
def whole(jobs): return jobs['whole'].result()

@job
def whole_run(tmp):
    "A tiny run, left alone"
    r = wm('--quick','--out','a', cwd=tmp)
    assert r.code==0, r.err
    return tmp/'a'
JOBS['whole'] = JOBS.pop('whole_run')

# ---------------------------------------------------------------- help

def test_help_teaches_every_option():
    r = console('--help')
    assert r.returncode==0 and r.stderr==''
    for option,word in dict(out='folder', videos='videos', seed='seed', device='cuda', resume='broken off', quick='little').items():
        assert re.search(rf'--{option}\b[^\n]*{word}', r.stdout), option

def imported(code):
    "Top-level modules that a fresh Python holds after `code`"
    code = f'import sys\ntry:\n {code}\nexcept SystemExit: pass\nprint(*{{m.split(".")[0] for m in sys.modules}}, file=sys.stderr)'
    return set(subprocess.run([sys.executable,'-c',code], capture_output=True, text=True, check=True).stderr.split())

def test_help_and_package_do_not_import_torch():
    heavy = {'torch','fastai','torchvision','matplotlib','av','cv2','h5py'}
    helped = imported(f'import runpy; sys.argv=["wm-demo","--help"]; runpy.run_path({str(WM)!r}, run_name="__main__")')
    assert 'world_models' in helped and not helped & heavy
    assert not imported('import world_models') & (heavy|{'numpy','fastcore'})
    assert 'numpy' in imported('import world_models.core') # or nothing would be seen

# ---------------------------------------------------------------- a run

@job
def real(tmp):
    "The console script, one quick run left alone"
    return tmp, console('--quick','--out','whole', cwd=tmp)

@of('real')
def test_run_leaves_exactly_its_results(run):
    tmp,r = run
    assert r.returncode==0
    assert set(tree(tmp/'whole')) == RESULTS

@of('real')
def test_metrics_have_the_stated_form(run):
    m = json.loads((run[0]/'whole'/'metrics.json').read_text())
    assert {'n_clips','n_ctx','horizon','psnr','position_rmse','detection_rate','ci95','seconds','peak_rss_mb','seed'} <= set(m)
    assert (m['n_ctx'], m['horizon'], m['seed']) == (4,26,0)
    assert m['n_clips'] == json.loads((run[0]/'whole'/'manifest.json').read_text())['clips']['test'] > 2
    for k in ('psnr','ssim','position_rmse','detection_rate'):
        assert list(m[k])==list(m['ci95'][k])==SYSTEMS
        for s in SYSTEMS:
            value,ci = np.array(m[k][s]), np.array(m['ci95'][k][s])
            assert value.shape==(26,) and ci.shape==(26,2) and np.isfinite(value).all()
            assert (ci[:,0]<=value+1e-9).all() and (value<=ci[:,1]+1e-9).all()
    assert list(m['seconds'])==['simulate','train','evaluate','total'] and all(v>=0 for v in m['seconds'].values())
    assert m['seconds']['total']==pytest.approx(sum(list(m['seconds'].values())[:3]), abs=.3)
    assert 100<m['peak_rss_mb']<3000

@of('real')
def test_manifest_says_what_was_run(run):
    m = json.loads((run[0]/'whole'/'manifest.json').read_text())
    assert m['command']=='wm-demo --quick --out whole' and m['seed']==0 and m['threads']==int(THREADS['OMP_NUM_THREADS'])
    assert m['versions']['torch'] and m['versions']['visual-world-models']

@of('real')
def test_film_is_h264_that_a_browser_plays(run):
    with av.open(str(run[0]/'whole'/'rollout.mp4')) as c:
        v = c.streams.video[0]
        assert c.format.name.startswith('mov') and (v.codec_context.name, v.pix_fmt)==('h264','yuv420p')
        assert v.width%2==0 and v.height%2==0 and sum(1 for _ in c.decode(v))==30

@of('real')
def test_page_is_self_contained(run):
    page = (run[0]/'whole'/'index.html').read_text(encoding='utf-8')
    sources = re.findall(r'''(?:src|href|poster|action|data)\s*=\s*["']?([^"'\s>]{1,30})''', page)
    assert len(sources)==3 and all(s.startswith('data:') for s in sources)
    assert not re.search(r'@import|url\(|<script|<link|<iframe', page)
    assert re.search(r'<video[^>]* controls[^>]*src="data:video/mp4;base64,', page) and page.count('<img')==2
    for name in ('model','copy_last','constant_velocity','mean_frame','floor','PSNR','detection rate'): assert f'>{name}' in page, name

@of('real')
def test_table_and_path_are_printed(run):
    out = run[1].stdout
    for s in SYSTEMS: assert re.search(rf'\b{s}\b(\s+\d+\.\d+ ± \d+\.\d+){{5}}', out), s
    assert re.search(r'step 1\s+step 5\s+step 10', out)
    assert out.rstrip().splitlines()[-1]=='Open whole/index.html'

@of('real')
def test_progress_says_what_and_how_long(run):
    err = run[1].stderr
    assert run[1].lines==[]
    for what in ('write','learning to draw','learning to foretell','evaluat'):
        assert re.search(rf'{what}[^\r\n]*\d+%[^\r\n]*\d\d:\d\d left', err), what

# ---------------------------------------------------------------- the same, another, broken off

@job
def other_seed(tmp):
    assert wm('--quick','--out','c','--seed','1', cwd=tmp).code==0
    return tmp/'c'

@of('other_seed')
def test_other_seed_other_numbers(run, whole):
    a,c = numbers(whole),numbers(run)
    for k in ('psnr','position_rmse'):
        for s in ('model','copy_last'): assert a[k][s]!=c[k][s], (k,s)
    assert (whole/'model'/'model.safetensors').read_bytes()!=(run/'model'/'model.safetensors').read_bytes()

CUTS = dict(beginning=[('before',r'plan\.json'), ('after',r'shard-.*\.h5',2), ('before',r'shard-.*\.h5',2)],
    training=[('after',r'draw\.pt',4), ('before',r'draw\.pt',2), ('before',r'foretell\.pt',3), ('after',r'foretell\.pt',2)],
    saving=[('before',r'model\.safetensors'), ('after',r'model\.safetensors'), ('after',r'config\.json'), ('before',r'rollout\.mp4'),
        ('after',r'horizon\.png'), ('after',r'metrics\.json'), ('after',r'index\.html'), ('removing','work')])

def broken_off(stage, tmp):
    "Broken off at one place after the other, then gone on with"
    for cut in CUTS[stage]:
        r = wm('--quick','--resume','--out','b', cwd=tmp, cut=cut)
        if r.code!=-9: return f'{cut} was not reached: {r.err}', tmp/'b'
    r = wm('--quick','--resume','--out','b', cwd=tmp)
    return '' if r.code==0 else r.err, tmp/'b'

JOBS |= {o: partial(broken_off, o) for o in CUTS}

@of(*CUTS)
def test_power_cut_and_resume(run, whole):
    "Nothing is different, nothing is left over"
    wrong,out = run
    assert not wrong, wrong
    assert_same_run(whole, out)

def test_resume_of_a_finished_run_changes_nothing(whole):
    was = tree(whole)
    r = wm('--quick','--resume','--out',whole)
    assert r.code==0 and r.lines==[] and tree(whole)==was
    assert 'finished before' in r.out and str(whole/'index.html') in r.out

def test_resume_makes_again_what_was_deleted(whole, tmp_path):
    shutil.copytree(whole, tmp_path/'b')
    for name in ('metrics.json','index.html'): (tmp_path/'b'/name).unlink()
    r = wm('--quick','--resume','--out','b', cwd=tmp_path)
    assert r.code==0, r.err
    assert_same_run(whole, tmp_path/'b')

@job
def old_folder(tmp):
    assert wm('--quick','--seed','1','--out','b', cwd=tmp, cut=('after',r'foretell\.pt',2)).code==-9
    (tmp/'b'/'mine.txt').write_text('a note of mine')
    return tmp/'b', wm('--quick','--out','b', cwd=tmp)

@of('old_folder')
def test_new_run_in_an_old_folder_is_as_new(run, whole, tmp_path):
    out,r = run
    assert r.code==0 and (out/'mine.txt').read_text()=='a note of mine', r.err
    shutil.copytree(out, tmp_path/'b')
    (tmp_path/'b'/'mine.txt').unlink()
    assert_same_run(whole, tmp_path/'b')

# ---------------------------------------------------------------- wrong input

def assert_refused(r, *words):
    "One line, exit code 2, that says what was found, what was expected and what to do"
    assert r.code==2, f'exit code {r.code}: {r.err[-2000:]}'
    assert len(r.lines)==1 and 'Traceback' not in r.err, r.err
    line = r.lines[0]
    assert re.fullmatch(r'wm-demo: [^;]+; expected [^;]+; [^;]+', line), line
    for w in words: assert re.search(w, line), f'{w!r} is not in: {line}'
    assert 'Open ' not in r.out

def no_torn_files(folder):
    assert not [n for n in tree(folder) if '.tmp' in n], sorted(tree(folder))

def films(tmp, *lengths):
    "A folder of short films, and the path of each"
    (tmp/'films').mkdir()
    paths = [tmp/'films'/f'film{i}.mp4' for i in range(len(lengths))]
    for p,n in zip(paths,lengths): write_film(p, np.random.default_rng(n).integers(0, 255, (n,48,64,3), np.uint8))
    return paths

def empty_folder(tmp): (tmp/'films').mkdir(); return 'empty folder'
def missing_folder(tmp): return 'films is not there'
def only_text(tmp):
    (tmp/'films').mkdir(); (tmp/'films'/'notes.txt').write_text('a note'); (tmp/'films'/'more.md').write_text('more')
    return r'no video in films.*more\.md'
def only_truncated(tmp):
    p, = films(tmp, 60); p.write_bytes(p.read_bytes()[:5000])
    return r'film0\.mp4: torn'
def only_zero_bytes(tmp):
    (tmp/'films').mkdir(); (tmp/'films'/'nothing.mp4').touch()
    return r'nothing\.mp4: an empty file'
def only_short(tmp): films(tmp, 10, 29); return r'film1\.mp4.* 29 frames; expected 30'
def a_file(tmp): (tmp/'films').write_text('not a folder'); return 'films is a file'
def too_few_clips(tmp): films(tmp, 65); return r'2 clips.*; expected at least three'

@pytest.mark.parametrize('old', [False,True], ids=['new place','over an old run'])
@pytest.mark.parametrize('make', [empty_folder,missing_folder,only_text,only_truncated,only_zero_bytes,only_short,a_file,too_few_clips], ids=lambda f: f.__name__)
def test_wrong_videos(make, old, whole, tmp_path):
    "Refused before anything is written, and before an old run is put away"
    words = make(tmp_path)
    if old: shutil.copytree(whole, tmp_path/'b')
    was = tree(tmp_path)
    assert_refused(wm('--quick','--videos','films','--out','b', cwd=tmp_path), words)
    assert tree(tmp_path)==was

def under_a_file(tmp): (tmp/'f').write_text('x'); return ['--out','f/b'], 'f/b'
def is_a_file(tmp): (tmp/'f').write_text('x'); return ['--out','f'], 'f, which is a file'
def unwritable(tmp): return ['--out','/proc/nope/b'], '/proc/nope'
def something_else(tmp): (tmp/'b').mkdir(); (tmp/'b'/'cat.txt').write_text('a cat'); return ['--out','b'], 'b, which holds something else'
def resume_something_else(tmp): return ['--resume',*something_else(tmp)[0]], 'b, which holds something else'
def foreign_plan(tmp): (tmp/'b').mkdir(); (tmp/'b'/'plan.json').write_text('buy milk'); return ['--out','b'], 'b, which holds something else'
def foreign_json_plan(tmp): (tmp/'b').mkdir(); (tmp/'b'/'plan.json').write_text('[1]'); return ['--out','b'], 'b, which holds something else'
def unknown_device(tmp): return ['--device','tpu','--out','b'], r"device 'tpu'.*cpu"
def absent_device(tmp): return ['--device','cuda:99','--out','b'], r"device 'cuda:99'"
def malformed_device(tmp): return ['--device','cpu:x','--out','b'], r"device 'cpu:x'"
def negative_seed(tmp): return ['--seed','-1','--out','b'], r'-1'

PLACES = [under_a_file,is_a_file,unwritable,something_else,resume_something_else,foreign_plan,foreign_json_plan,unknown_device,absent_device,
    malformed_device,negative_seed]

@pytest.mark.parametrize('make', PLACES, ids=lambda f: f.__name__)
def test_wrong_options(make, tmp_path):
    argv,words = make(tmp_path)
    was = tree(tmp_path)
    assert_refused(wm('--quick',*argv, cwd=tmp_path), words)
    assert tree(tmp_path)==was

@pytest.mark.parametrize('argv', [['--nope'],['--seed','many'],['--out']], ids=' '.join)
def test_unknown_options(argv, tmp_path):
    r = wm(*argv, cwd=tmp_path)
    assert r.code==2 and 'Traceback' not in r.err and r.lines[-1].startswith('wm-demo: error: ') and argv[0] in r.lines[-1]
    assert tree(tmp_path)=={}

@pytest.mark.parametrize('other,words', [(['--seed','1'], r'seed=0; expected seed=1'), ([], r'quick=True; expected quick=False|quick=True, .*expected quick=False')], ids=['seed','not quick'])
def test_resume_with_other_options(other, words, whole, tmp_path):
    shutil.copytree(whole, tmp_path/'b')
    was = tree(tmp_path)
    quick = ['--quick'] if other else []
    assert_refused(wm('--resume',*quick,*other,'--out','b', cwd=tmp_path), words)
    assert tree(tmp_path)==was

@pytest.fixture(scope='session')
def begun(tmp_path_factory):
    "A tiny run, broken off when its clips were there"
    tmp = tmp_path_factory.mktemp('begun')
    assert wm('--quick','--out','b', cwd=tmp, cut=('before',r'draw\.pt')).code==-9
    for p in tmp.rglob('.*'):
        if p.name!=MARK: p.unlink()
    return tmp/'b'

def text_shard(p): p.write_text('clip after clip after clip'); return 'is no HDF5 file'
def empty_shard(p): p.write_bytes(b''); return 'is no HDF5 file'
def torn_shard(p): p.write_bytes(p.read_bytes()[:-1000]); return 'torn'
def changed_shard(p):
    with h5py.File(p,'r+') as f: f.attrs['settings'] = np.bytes_(json.dumps(json.loads(f.attrs['settings'])|{'seed':7}))
    return 'checksum'
def changed_pixels(p):
    with h5py.File(p) as f: at = f['frames'].id.get_chunk_info(2).byte_offset
    b = bytearray(p.read_bytes()); b[at+9] ^= 1; p.write_bytes(b)
    return 'frames does not unpack'
def strange_shard(p):
    p.unlink()
    with h5py.File(p,'w') as f: f['temperature'] = [20.,21.]
    return 'something else'
def shard_of_other_settings(p):
    with h5py.File(p,'r+') as f: f.attrs['settings'] = np.bytes_(json.dumps(json.loads(f.attrs['settings'])|{'seed':7})); f.attrs['checksum'] = np.bytes_(_checksum(f))
    return 'was made with seed=7'

@pytest.mark.parametrize('spoil', [text_shard,empty_shard,torn_shard,strange_shard,shard_of_other_settings,changed_shard,changed_pixels], ids=lambda f: f.__name__)
def test_resume_with_a_wrong_shard(spoil, begun, tmp_path):
    shutil.copytree(begun, tmp_path/'b')
    words = spoil(tmp_path/'b'/'work'/'clips'/'shard-00002.h5')
    was = tree(tmp_path, but=['b/work/seconds.json'])
    assert_refused(wm('--quick','--resume','--out','b', cwd=tmp_path), r'shard-00002\.h5', words)
    assert tree(tmp_path, but=['b/work/seconds.json'])==was

@pytest.mark.parametrize('content', ['','[1]','{"train":"long"}','['*100_000], ids=['empty','list','words','deep'])
def test_resume_with_odd_seconds(content, begun, tmp_path):
    shutil.copytree(begun, tmp_path/'b')
    (tmp_path/'b'/'work'/'seconds.json').write_text(content)
    was = tree(tmp_path, but=['b/work/draw.pt'])
    assert_refused(wm('--quick','--resume','--out','b', cwd=tmp_path), r'seconds\.json')
    assert tree(tmp_path, but=['b/work/draw.pt'])==was

@pytest.mark.parametrize('name', ['plan.json','metrics.json'])
def test_resume_of_a_finished_run_with_odd_results(name, whole, tmp_path):
    shutil.copytree(whole, tmp_path/'b')
    (tmp_path/'b'/name).write_text('{"a":'*100_000)
    assert_refused(wm('--quick','--resume','--out','b', cwd=tmp_path), re.escape(name))

@pytest.mark.parametrize('plan', ['{}','buy milk'])
def test_folder_with_a_plan_is_not_taken_for_ones_own(plan, tmp_path):
    "A thesis lay in `work/`, and was deleted"
    for name in ('plan.json','work/thesis.txt','model/notes.txt','.draft.tmp.txt'):
        (tmp_path/'p'/name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path/'p'/name).write_text(plan)
    was = tree(tmp_path)
    for more in ([],['--resume']): assert_refused(wm('--quick','--out','p',*more, cwd=tmp_path), 'p, which holds something else')
    assert tree(tmp_path)==was

def test_two_runs_in_one_folder(tmp_path):
    with locked(tmp_path/'b'): assert_refused(wm('--quick','--out','b', cwd=tmp_path), 'another command is writing')
    assert tree(tmp_path)=={}

def test_resume_with_a_torn_state_of_training(whole, tmp_path):
    "What a failing disk leaves of `draw.pt` is refused in one line too"
    assert wm('--quick','--out','b', cwd=tmp_path, cut=('after',r'draw\.pt',2)).code==-9
    file = tmp_path/'b'/'work'/'draw.pt'
    file.write_bytes(file.read_bytes()[:1000])
    assert_refused(wm('--quick','--resume','--out','b', cwd=tmp_path), r'draw\.pt')

def other_latents(c): c['dynamics']['z_shape'][0] += 1; return r'dynamics'
def other_width(c): c['dynamics']['width'] += 8; return r'model\.safetensors'
def unknown_class(c): c['decoder']['class'] = 'Oracle'; return r'a known class'
def unknown_argument(c): c['encoder']['colour_of_hair'] = 'red'; return r'colour_of_hair'
def other_frames(c): c['encoder']['x_shape'][1] = c['encoder']['x_shape'][2] = 128; return r'config\.json|encoder'
def not_json(c): return r'config\.json'

@pytest.mark.parametrize('spoil', [other_latents,other_width,unknown_class,unknown_argument,other_frames,not_json], ids=lambda f: f.__name__)
def test_resume_with_a_model_whose_parts_do_not_fit(spoil, whole, tmp_path):
    shutil.copytree(whole, tmp_path/'b')
    (tmp_path/'b'/'metrics.json').unlink()
    file = tmp_path/'b'/'model'/'config.json'
    config = json.loads(file.read_text())
    words = spoil(config)
    file.write_text('{' if spoil is not_json else json.dumps(config))
    was = tree(tmp_path/'b')
    assert_refused(wm('--quick','--resume','--out','b', cwd=tmp_path), words)
    now = tree(tmp_path/'b')
    assert {k:v for k,v in now.items() if not k.startswith('work')}==was

# a place that is full, by a limit on the size of a file: the first file beyond it is the one that fails
@pytest.mark.parametrize('limit,culprit', [(0,'plan.json'),(5_000,'shard-'),(300_000,'draw.pt')], ids=['plan','clips','training'])
def test_full_place(limit, culprit, whole, tmp_path):
    "What is whole stays, what is not is gone, and when there is room again the run goes on"
    r = wm('--quick','--out','b', cwd=tmp_path, fsize=limit)
    assert_refused(r, 'too large|No space|cannot be written')
    no_torn_files(tmp_path)
    if limit==0: assert not (tmp_path/'b').exists() or tree(tmp_path/'b')=={}
    if culprit=='draw.pt':
        assert wm('--quick','--resume','--out','b', cwd=tmp_path).code==0
        assert_same_run(whole, tmp_path/'b')

@pytest.mark.parametrize('result', ['rollout.mp4','index.html'])
def test_full_place_at_the_end(result, whole, tmp_path):
    shutil.copytree(whole, tmp_path/'b')
    for p in ('metrics.json',result): (tmp_path/'b'/p).unlink()
    r = wm('--quick','--resume','--out','b', cwd=tmp_path, fsize=(whole/result).stat().st_size-1)
    assert_refused(r, 'too large|No space|cannot be written')
    no_torn_files(tmp_path)
    assert not (tmp_path/'b'/result).exists()

def test_full_disk(tmp_path):
    "A disk of a megabyte, for real"
    (tmp_path/'disk').mkdir()
    mounted = subprocess.run(['mount','-t','tmpfs','-o','size=1m','tmpfs',tmp_path/'disk'], capture_output=True)
    if mounted.returncode: pytest.skip('this user may not mount a disk; test_full_place stands for it')
    try:
        assert_refused(wm('--quick','--out','disk/b', cwd=tmp_path), 'No space left')
        no_torn_files(tmp_path/'disk')
    finally: subprocess.run(['umount',tmp_path/'disk'], check=True)

def test_ctrl_c_ends_in_one_line(tmp_path):
    r = wm('--quick','--out','b', cwd=tmp_path, cut=('interrupt',r'foretell\.pt',2))
    assert r.code==130 and r.lines==['wm-demo: stopped'], r.err
    no_torn_files(tmp_path)

# ---------------------------------------------------------------- videos

@job
def some_broken(tmp):
    good = films(tmp, 60, 60, 60, 70)
    good[3].write_bytes(good[3].read_bytes()[:3000])
    (tmp/'films'/'empty.mp4').touch()
    write_film(tmp/'films'/'short.mp4', np.zeros((12,48,64,3), np.uint8))
    (tmp/'films'/'notes.txt').write_text('no film, and not said to be one')
    return tmp, wm('--quick','--videos','films','--out','b', cwd=tmp)

@of('some_broken')
def test_broken_video_among_good_ones_is_named(run):
    tmp,r = run
    assert r.code==0 and r.lines==[], r.err
    skipped = json.loads((tmp/'b'/'manifest.json').read_text())['skipped']
    assert set(skipped)=={'film3.mp4','empty.mp4','short.mp4'}
    page = (tmp/'b'/'index.html').read_text(encoding='utf-8').split('<h2>What was run')[0]
    for name,why in skipped.items():
        assert re.search(rf'^Left out.*: {re.escape(name)} \({re.escape(why)}\)', r.out, re.M) and f'{name} ({why})' in page
    assert '12 frames, 30 needed' in skipped['short.mp4']
    assert set(tree(tmp/'b'))==RESULTS

def gym_run(env, tmp):
    make_films(tmp/'films', env, n=4, n_frames=64, seed=0)
    return env, tmp, wm('--quick','--videos','films','--out','b', cwd=tmp)

JOBS |= {o: partial(gym_run, o) for o in ENVS}

@of(*ENVS)
def test_videos_from_gymnasium(run):
    "Another engine, its own sizes, an independent writer: the job is the same"
    env,tmp,r = run
    assert r.code==0 and r.lines==[], r.err
    assert set(tree(tmp/'b'))==RESULTS
    m = json.loads((tmp/'b'/'metrics.json').read_text())
    assert 'position_rmse' not in m and 'detection_rate' not in m and list(m['psnr'])==[o for o in SYSTEMS if o!='constant_disc']
    assert all(len(v)==26 and np.isfinite(v).all() for v in m['psnr'].values())
    c,h,w = json.loads((tmp/'b'/'model'/'config.json').read_text())['encoder']['x_shape']
    height,width = ENVS[env]
    assert c==3 and abs(np.log((w/h)/(width/height))) < .12 and .7 < h*w/64**2 < 1.4
    clips = json.loads((tmp/'b'/'manifest.json').read_text())['clips']
    assert sum(clips.values())==8 and all(k%2==0 for k in clips.values()), 'two clips a film; a film lies in one part'

@job
def pendulum(tmp):
    make_films(tmp/'films', 'Pendulum-v1', n=10, n_frames=95, seed=0)
    return tmp, wm('--quick','--videos','films','--out','b', cwd=tmp, job=SMALL)

@of('pendulum')
def test_model_beats_copy_last_on_a_pendulum_of_another_engine(run):
    "The claim of `benchmarks/gymnasium_videos.py`, small: 32 pixels, a quarter of a minute"
    tmp,r = run
    assert r.code==0, r.err
    psnr = json.loads((tmp/'b'/'metrics.json').read_text())['psnr']
    for step in (1,5,10): assert psnr['model'][step-1] > psnr['copy_last'][step-1]+1, step

@job
def red_on_blue(tmp):
    (tmp/'films').mkdir()
    for k in range(3):
        x = np.zeros((60,64,96,3), np.uint8); x[...,2] = 200
        for t in range(60): x[t,20:40,(t+20*k)%70:(t+20*k)%70+20] = 200,0,0
        write_film(tmp/'films'/f'{k}.mp4', x)
    return tmp, wm('--quick','--videos','films','--out','b', cwd=tmp)

@of('red_on_blue')
def test_colour_of_a_video_is_kept(run):
    "A red square on blue, in and out again"
    tmp,r = run
    assert r.code==0, r.err
    with av.open(str(tmp/'b'/'rollout.mp4')) as c: x = next(c.decode(video=0)).to_ndarray(format='rgb24').reshape(-1,3).astype(int)
    red,blue = (x@[2,-1,-1]>150).mean(), (x@[-1,-1,2]>150).mean()
    assert red>.01 and blue>.2

# ---------------------------------------------------------------- wm-simulate

SIMULATE = WM.with_name('wm-simulate')
SOME = ['--world','bouncing_balls','--n','3000','--size','32','--out','b'] # six shards

def simulate(*argv, cwd='.', fsize=None):
    "Run `wm-simulate` to its end, perhaps where no file may grow beyond `fsize` bytes"
    limit = None if fsize is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (fsize,fsize))
    r = subprocess.run([SIMULATE, *map(str,argv)], cwd=cwd, capture_output=True, text=True, env=os.environ|THREADS, preexec_fn=limit)
    r.code,r.lines = r.returncode,lines(r.stderr)
    return r

def begin(*argv, cwd, until):
    "Start `wm-simulate` in a group of processes of its own, and wait until so many files are there"
    p = subprocess.Popen([SIMULATE, *argv], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ|THREADS, start_new_session=True, preexec_fn=hearing)
    while p.poll() is None and len(list((Path(cwd)/'b').glob('[!.]*')))<until: time.sleep(.002)
    assert p.poll() is None, 'ended too early'
    return p

def group_ends(pid, seconds=3):
    "No process of the group is left after a moment"
    for _ in range(int(seconds/.05)):
        try: os.killpg(pid, 0)
        except ProcessLookupError: return True
        time.sleep(.05)
    return False

def assert_simulate_refused(r, *words):
    assert r.code==2 and len(r.lines)==1, r.err if hasattr(r,'err') else r.stderr
    assert re.fullmatch(r'wm-simulate: [^;]+; expected [^;]+; [^;]+', r.lines[0]), r.lines[0]
    for w in words: assert re.search(w, r.lines[0]), f'{w!r} is not in: {r.lines[0]}'

@pytest.fixture(scope='module')
def some(tmp_path_factory):
    "A set that nobody disturbed"
    tmp = tmp_path_factory.mktemp('some')
    r = simulate(*SOME, '--workers','1', cwd=tmp)
    assert r.code==0 and r.lines==[], r.stderr
    return tmp/'b', r

def test_simulate_says_what_it_made(some):
    out,r = some
    row = next(l for l in r.stdout.splitlines() if l.startswith('bouncing_balls')).split()
    assert row[1:3]==['3,000','30'] and row[-1]=='b'
    assert abs(float(row[-2]) - sum(p.stat().st_size for p in out.iterdir())/1e6) < .06
    assert 'wm-inspect b' in r.stdout
    assert sorted(tree(out))==[f'shard-{k:05d}.h5' for k in range(6)]

def test_simulate_help_teaches_and_is_light():
    said = simulate('--help').stdout
    for o in 'world n out size channels frames fps seed workers video ood combo params list'.split(): assert re.search(rf'--{o}\b[^\n]{{12}}', said), o
    for argv in (['--help'],['--list'],['--world','pendulum','--n','1','--out','/dev/null/x']):
        helped = imported(f'import runpy; sys.argv={["wm-simulate",*argv]!r}; runpy.run_path({str(SIMULATE)!r}, run_name="__main__")')
        assert 'world_models' in helped and not helped & {'torch','fastai','matplotlib','pandas','dask'}

def test_simulate_lists_every_world():
    from world_models.simulation import WORLDS
    r = simulate('--list')
    assert r.code==0 and [l.split()[0] for l in r.stdout.splitlines()][1:]==list(WORLDS)

@pytest.mark.parametrize('workers', [2,3])
def test_simulate_number_of_workers_changes_nothing(workers, some, tmp_path):
    assert simulate(*SOME, '--workers',workers, cwd=tmp_path).code==0
    assert tree(tmp_path/'b')==tree(some[0])

def test_simulate_all_worlds_any_workers(tmp_path):
    from world_models.generation import COUNTS
    for w in (1,2):
        r = simulate('--world','all','--n','4','--size','32','--out',f'{w}','--workers',w, cwd=tmp_path)
        assert r.code==0 and r.lines==[], r.stderr
    assert tree(tmp_path/'1')==tree(tmp_path/'2')
    assert {p.name for p in (tmp_path/'1').iterdir()}==set(COUNTS)

def test_simulate_films_any_workers(tmp_path):
    from world_models.generation import FILMS
    for w in (1,2):
        r = simulate('--world','all','--video','--n','17','--frames','4','--out',f'{w}','--workers',w, cwd=tmp_path)
        assert r.code==0 and r.lines==[], r.stderr
    assert tree(tmp_path/'1')==tree(tmp_path/'2')
    for o in FILMS: assert set(tree(tmp_path/'1'/o))=={f'{o}-{i:05d}.mp4' for i in range(17)} | {f'truth-{k:05d}.h5' for k in range(2)}

def test_simulate_killed_and_resumed(some, tmp_path):
    p = begin(*SOME, '--workers','2', cwd=tmp_path, until=2)
    p.kill()
    p.communicate()
    assert p.returncode==-9 and group_ends(p.pid), 'workers live on'
    left = {k:v for k,v in tree(tmp_path/'b').items() if k[0]!='.'}
    assert 2<=len(left)<6
    r = simulate(*SOME, '--workers','2', cwd=tmp_path)
    assert r.code==0 and f'bouncing_balls: {500*len(left)} of 3000 clips were there' in r.stdout
    assert tree(tmp_path/'b')==tree(some[0])

def test_simulate_ctrl_c(some, tmp_path):
    p = begin(*SOME, '--workers','2', cwd=tmp_path, until=2)
    os.killpg(p.pid, 2)
    _,err = p.communicate(timeout=20)
    assert p.returncode==130 and lines(err)==['wm-simulate: stopped'], err
    assert group_ends(p.pid), 'workers live on'
    left = tree(tmp_path/'b')
    assert 2<=len(left)<6 and all(v==tree(some[0])[k] for k,v in left.items())

@pytest.mark.parametrize('number', [1,15])
@pytest.mark.parametrize('workers', [1,2])
def test_simulate_told_to_stop(number, workers, some, tmp_path):
    "Only the employer is told, not its workers"
    p = begin(*SOME, '--workers',str(workers), cwd=tmp_path, until=2)
    p.send_signal(number)
    _,err = p.communicate(timeout=20)
    assert p.returncode==128+number and lines(err)==['wm-simulate: stopped'], err
    assert group_ends(p.pid), 'workers live on'
    left = tree(tmp_path/'b')
    assert 2<=len(left)<6 and all(v==tree(some[0])[k] for k,v in left.items())

def test_simulate_two_at_once(some, tmp_path):
    p = begin(*SOME, '--workers','1', cwd=tmp_path, until=1)
    p.send_signal(signal.SIGSTOP) # held, so that it cannot end while the second one starts
    assert_simulate_refused(simulate(*SOME, cwd=tmp_path), 'b, which another command is writing')
    p.send_signal(signal.SIGCONT)
    p.communicate(timeout=60)
    assert p.returncode==0 and tree(tmp_path/'b')==tree(some[0])

@pytest.mark.parametrize('workers', [1,2])
def test_simulate_full_disk(workers, some, tmp_path):
    "A disk for three of six shards, for real"
    (tmp_path/'disk').mkdir()
    room = int(3.6*max(map(len, tree(some[0]).values())))//4096
    mounted = subprocess.run(['mount','-t','tmpfs','-o',f'size={4*room}k','tmpfs',tmp_path/'disk'], capture_output=True)
    if mounted.returncode: pytest.skip('this user may not mount a disk; the page of shards stands for it, with a limit on the size of a file')
    try:
        r = simulate(*SOME[:-1], 'disk/b', '--workers',workers, cwd=tmp_path)
        left = tree(tmp_path/'disk'/'b')
        assert_simulate_refused(r, f'{len(left)} of 6 shards are whole', 'No space left')
        assert len(left) in (2,3) and all(v==tree(some[0])[k] for k,v in left.items())
    finally: subprocess.run(['umount',tmp_path/'disk'], check=True)

def test_simulate_place_that_takes_nothing(tmp_path):
    r = simulate(*SOME, '--workers','2', cwd=tmp_path, fsize=1000)
    assert_simulate_refused(r, r'shard-0000\d\.h5 cannot be written \(File too large\)')
    assert tree(tmp_path)=={}

@pytest.mark.parametrize('spoil', [text_shard,empty_shard,torn_shard,strange_shard,shard_of_other_settings,changed_shard,changed_pixels], ids=lambda f: f.__name__)
def test_simulate_beside_a_wrong_shard(spoil, some, tmp_path):
    shutil.copytree(some[0], tmp_path/'b')
    words = spoil(tmp_path/'b'/'shard-00002.h5')
    was = tree(tmp_path)
    assert_simulate_refused(simulate(*SOME, cwd=tmp_path), r'shard-00002\.h5', words)
    assert tree(tmp_path)==was

def test_simulate_beside_a_shard_of_another_version(some, tmp_path):
    shutil.copytree(some[0], tmp_path/'b')
    with h5py.File(tmp_path/'b'/'shard-00001.h5','r+') as f: f.attrs['schema_version'] = 99
    was = tree(tmp_path)
    assert_simulate_refused(simulate(*SOME, cwd=tmp_path), r'shard-00001\.h5 has layout 99; expected layout 2')
    assert tree(tmp_path)==was

@pytest.mark.parametrize('said,words', [(['--world','bouncing_bals'], r"'bouncing_bals'.*did you mean 'bouncing_balls'"), ([], 'no world.*--list'), (['--world','pendulum','--size','0'], 'size=0'),
    (['--world','pendulum','--size','-5'], 'size=-5'), (['--world','pendulum','--n','0'], 'n=0'), (['--world','pendulum','--frames','0'], 'n_frames=0'), (['--world','pendulum','--fps','0'], 'fps=0'),
    (['--world','pendulum','--workers','0'], 'workers=0'), (['--world','pendulum','--channels','2'], 'channels=2'), (['--world','pendulum','--seed','-1'], 'seed=.*-1'),
    (['--world','pendulum','--combo','maybe'], 'combo=.maybe'), (['--world','bouncing_balls','--params','radius=.7'], r'radius=0\.7'), (['--world','bouncing_balls','--params','radius'], "'radius' in --params"),
    (['--world','bouncing_balls','--params','weight=3'], "parameter 'weight'"), (['--world','bouncing_balls','--params','n_balls=9'], 'n_balls=9'),
    (['--world','pendulum','--out','/proc/nope/b'], '/proc/nope')], ids=lambda o: ' '.join(o) if isinstance(o,list) else '')
def test_simulate_refuses_before_it_writes(said, words, tmp_path):
    assert_simulate_refused(simulate(*said, cwd=tmp_path), words)
    assert tree(tmp_path)=={}

def test_simulate_options_reach_the_clips(tmp_path):
    from world_models.datasets import open_episodes
    said = '--world bouncing_balls --n 5 --frames 7 --fps 30 --size 24 --channels 3 --seed 9 --ood --params n_balls=3'.split()
    assert simulate(*said, '--out','b', cwd=tmp_path).code==0
    ds = open_episodes(tmp_path/'b')
    assert (len(ds), ds.n_frames, ds.fps, ds.frame_shape, ds.seed)==(5,7,30,(24,24,3),9)
    assert ds.episodes().params['radius'].shape==(5,3) and ds.episodes().params['radius'].min()>.085

def test_a_reader_may_leave():
    "Output cut off by `head` is no error to report"
    r = subprocess.run(f'for i in 1 2 3 4 5; do {BIN/"wm-simulate"} --list | true; done', shell=True, capture_output=True, text=True)
    assert (r.returncode,r.stderr) == (0,'')
