"wm-convert from outside: help, every direction, a kill, wrong input, files that nobody here wrote"
import os, re, resource, signal, subprocess, sys, time
from pathlib import Path
import av, cv2
import numpy as np
import pytest
from child import BIN, THREADS, lines
from films import write_film
from world_models.cards import read_truth
from world_models.core import InputError
from world_models.datasets import open_episodes, write_episodes, write_video

WM = BIN/'wm-convert'

def convert(*argv, cwd='.', fsize=None):
    "Run `wm-convert` to its end, perhaps where no file may grow beyond `fsize` bytes"
    limit = None if fsize is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (fsize,fsize))
    r = subprocess.run([WM, *map(str,argv)], cwd=cwd, capture_output=True, text=True, env=os.environ|THREADS, preexec_fn=limit)
    r.lines = lines(r.stderr)
    return r

def assert_refused(r, *words):
    assert r.returncode==2 and len(r.lines)==1, r.stdout+r.stderr
    assert re.fullmatch(r'wm-convert: [^;]+; expected [^;]+; .+', r.lines[0]), r.lines[0]
    for w in words: assert re.search(w, r.lines[0]), f'{w!r} is not in: {r.lines[0]}'

def tree(folder): return {p.relative_to(folder).as_posix(): p.read_bytes() if p.is_file() else None for p in sorted(Path(folder).rglob('*'))}

@pytest.fixture(scope='module')
def home(tmp_path_factory):
    "A set with truth, films of PyAV of unequal length, an array, and things that are none of these"
    tmp = tmp_path_factory.mktemp('sources')
    write_episodes(tmp/'balls', n=12, n_frames=8, size=32, channels=3, shard_size=5)
    (tmp/'films').mkdir()
    x = np.zeros((20,48,64,3), np.uint8)
    for t in range(20): x[t,8:24,2*t:2*t+16] = 220,40,40
    for i,n in enumerate((20,13)): write_film(tmp/'films'/f'{i}.mp4', x[:n])
    np.save(tmp/'mnist.npy', np.random.default_rng(0).integers(0, 256, (20,7,64,64), dtype=np.uint8))
    np.save(tmp/'float.npy', np.zeros((3,4,8,8)))
    (tmp/'text.npy').write_text('a shopping list')
    (tmp/'notes').mkdir(); (tmp/'notes'/'a.txt').write_text('to do')
    return tmp

# ---------------------------------------------------------------- help

def test_help_teaches_every_option():
    r = convert('--help')
    assert r.returncode==0 and r.stderr==''
    for o in ('src','dst'): assert re.search(rf'^ +{o} ', r.stdout, re.M), o
    for option,word in dict(to='episodes', frames='pieces', layout='Moving MNIST', size='resize', channels='grey', fps='second').items():
        assert re.search(rf'--{option}\b[^-]*{word}', r.stdout), option

def test_conversion_does_not_load_torch():
    for m in ('sources','listings','conversion'):
        code = f'import sys, world_models.{m}; sys.exit(", ".join({{"torch","fastai"}} & set(sys.modules)))'
        assert subprocess.run([sys.executable,'-c',code], capture_output=True, text=True).stderr.strip()=='', m

# ---------------------------------------------------------------- every direction

def test_there_and_back_through_every_exact_format(home, tmp_path):
    truth = open_episodes(home/'balls')
    path = [('balls.npy',),('pictures','--to','images'),('again.npy',),('back',)]
    src = home/'balls'
    for dst,*opt in path:
        r = convert(src, dst, *opt, cwd=tmp_path)
        assert r.returncode==0 and r.lines==[], r.stderr
        assert r.stdout==f'{dst}: 12 clips of 8 frames, 32×32, colour, 15 frames a second, with truth\n'
        src = tmp_path/dst
    back = open_episodes(tmp_path/'back')
    assert (back.all_frames()==truth.all_frames()).all() and (back.episodes().state==truth.episodes().state).all()
    ep = read_truth(tmp_path/'balls.clips.npz')
    assert (ep.state==truth.episodes().state).all() and (ep.events==truth.episodes().events).all()
    assert not [p for p in tmp_path.rglob('*') if '.tmp' in p.name]

def test_films_play_anywhere(home, tmp_path):
    assert convert(home/'balls', 'films', '--to', 'mp4', cwd=tmp_path).returncode==0
    films = sorted((tmp_path/'films').glob('*.mp4'))
    assert [p.name for p in films]==[f'clip-{i:05d}.mp4' for i in range(12)]
    with av.open(str(films[3])) as c:
        v = c.streams.video[0]
        assert (v.codec_context.name, v.pix_fmt, v.average_rate) == ('h264','yuv420p',15)
        x = np.stack([f.to_ndarray(format='rgb24') for f in c.decode(v)]).astype(float)
    assert 10*np.log10(255**2/((x-open_episodes(home/'balls').frames(3))**2).mean()) > 30

def test_pictures_are_as_other_programs_read_them(home, tmp_path):
    assert convert(home/'balls', 'p', '--to', 'images', cwd=tmp_path).returncode==0
    from PIL import Image
    x = np.asarray(Image.open(tmp_path/'p'/'clip-00007'/'frame-0002.png'))
    assert (x==open_episodes(home/'balls').frames(7)[2]).all()

def test_films_of_strangers_become_shards(home, tmp_path):
    assert_refused(convert(home/'films', 'a', cwd=tmp_path), 'clips of 13 to 20 frames')
    r = convert(home/'films', 'a', '--frames', '6', cwd=tmp_path)
    assert r.returncode==0 and '5 clips of 6 frames, 48×64, colour, 30 frames' in r.stdout, r.stderr
    ds = open_episodes(tmp_path/'a')
    assert list(ds.groups)==[0,0,0,1,1] and list(ds.starts)==[0,6,12,0,6]
    left = [int((ds.frames(i)[0,16,:,0]>120).argmax()) for i in range(5)]
    assert np.abs(np.array(left)-2*np.array(ds.starts)).max()<=1

def test_pictures_of_opencv_in_the_order_of_their_numbers(tmp_path):
    for k in (1,2,10): (tmp_path/'c'/'clip').mkdir(parents=True, exist_ok=True); cv2.imwrite(str(tmp_path/'c'/'clip'/f'im{k}.png'), np.full((16,16,3), (0,0,20*k), np.uint8))
    assert convert('c', 'd.npy', cwd=tmp_path).returncode==0
    assert np.load(tmp_path/'d.npy')[0,:,0,0].tolist()==[[20,0,0],[40,0,0],[200,0,0]]

def test_moving_mnist_wants_its_layout(home, tmp_path):
    assert_refused(convert(home/'mnist.npy', 'm', cwd=tmp_path), 'with 20 in axis 0 and 7 in axis 1', 'say layout tnhw')
    assert not (tmp_path/'m').exists()
    r = convert(home/'mnist.npy', 'm', '--layout', 'tnhw', '--fps', '10', cwd=tmp_path)
    assert r.returncode==0 and '7 clips of 20 frames, 64×64, grey, 10 frames' in r.stdout, r.stderr
    assert (open_episodes(tmp_path/'m').all_frames()[...,0].swapaxes(0,1)==np.load(home/'mnist.npy')).all()

# ---------------------------------------------------------------- stops

def test_killed_while_writing_shards_goes_on(home, tmp_path):
    np.save(tmp_path/'many.npy', np.random.default_rng(1).integers(0, 256, (1500,10,32,32,1), dtype=np.uint8))
    p = subprocess.Popen([WM,'many.npy','a'], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ|THREADS)
    while p.poll() is None and len(list((tmp_path/'a').glob('shard-*.h5')))<2: time.sleep(.002)
    p.send_signal(signal.SIGKILL); p.wait()
    assert p.returncode==-signal.SIGKILL, 'ended too early'
    begun = tree(tmp_path/'a')
    assert convert('many.npy', 'a', cwd=tmp_path).returncode==0
    done = tree(tmp_path/'a')
    assert len(done)==15 and all(done[k]==v for k,v in begun.items() if not k.startswith('.'))
    assert convert('many.npy', 'b', cwd=tmp_path).returncode==0 and tree(tmp_path/'b')==done

def test_killed_while_writing_a_folder_leaves_no_half(home, tmp_path):
    p = subprocess.Popen([WM,str(home/'balls'),'a','--to','mp4'], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ|THREADS)
    while p.poll() is None and not list(tmp_path.glob('.a.*.tmp/*.mp4')): time.sleep(.002)
    p.send_signal(signal.SIGKILL); p.wait()
    assert p.returncode==-signal.SIGKILL and not (tmp_path/'a').exists()
    assert convert(home/'balls', 'a', '--to', 'mp4', cwd=tmp_path).returncode==0
    assert [o.name for o in tmp_path.iterdir()]==['a'] and len(list((tmp_path/'a').glob('*.mp4')))==12

@pytest.mark.parametrize('dst,opt', [('a',[]),('a.npy',[]),('a',['--to','images'])])
def test_full_disk_leaves_nothing(dst, opt, home, tmp_path):
    src = home/'mnist.npy'
    opt = [*opt,'--layout','tnhw']
    assert_refused(convert(src, dst, *opt, cwd=tmp_path, fsize=3000), 'cannot be written')
    assert not [p for p in tmp_path.rglob('*') if p.is_file()]

# ---------------------------------------------------------------- long films

@pytest.fixture(scope='module')
def long_film(tmp_path_factory):
    "Ten thousand frames, 184 MB when unpacked, in a folder"
    folder,im = tmp_path_factory.mktemp('long'),np.zeros((64,96,3), np.uint8)
    def frames():
        for k in range(10_000): im[:] = 0; im[8:24,k%80:k%80+16] = 200,40,k%256; yield im
    write_video(folder/'a.mp4', frames(), 25, crf=30)
    return folder

@pytest.mark.parametrize('argv,most', [(('wm-inspect','{}'), 200), (('wm-convert','{}','a.npy'), 200), (('wm-convert','{}','a','--to','mp4'), 200), (('wm-convert','{}','a','--frames','100'), 300)], ids=lambda o: '-'.join(o[:1]+o[2:]) if isinstance(o, tuple) else None)
def test_memory_does_not_grow_with_a_film(argv, most, long_film, tmp_path):
    "The libraries alone take some 100 MB; with the whole film in memory it would be 300 to 500"
    code = 'import resource, subprocess, sys; r = subprocess.run(sys.argv[1:], capture_output=True); print(r.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)'
    argv = [BIN/argv[0], *(o.format(long_film) for o in argv[1:])] # through a small process: what is forked from a large one counts its memory as its own
    out = subprocess.run([sys.executable,'-c',code,*map(str,argv)], cwd=tmp_path, capture_output=True, text=True, env=os.environ|THREADS, check=True).stdout
    status,peak = map(int, out.split())
    assert status==0 and peak/1024 < most, f'{peak/1024:.0f} MB'

def test_odd_lists_are_read_as_meant(home):
    "Without a header, with spaces after commas; a list that leads out of its folder is not followed"
    from world_models.listings import KineticsSet
    for text in ('0.mp4 3\n1.mp4 4\n', 'label, path\n3, "0.mp4"\n4, 1.mp4\n', '0.mp4,3\n1.mp4,4\n'):
        (home/'list.csv').write_text(text)
        assert KineticsSet(home/'list.csv', home/'films', n_frames=4).labels==['3','4']
    (home/'list.csv').write_text('../films/0.mp4 3\n')
    with pytest.raises(InputError, match='lies outside'): KineticsSet(home/'list.csv', home/'notes', n_frames=4)
    for o in home.glob('list.csv*'): o.unlink()

# ---------------------------------------------------------------- wrong input

@pytest.mark.parametrize('argv,words', [
    (('nothing','a'), ('nothing is not there',)),
    (('notes','a'), ('no clips that are known',)),
    (('float.npy','a'), ('float64', 'np.round')),
    (('text.npy','a'), ('is torn, or holds more than numbers',)),
    (('balls','a'), ('holds episodes already',)),
    (('balls','a','--to','avi'), ("format 'avi'",'episodes, mp4, npy, images')),
    (('balls','a','--to','npy'), ('a name in .npy',)),
    (('balls','a','--to','mp4','--size','64'), ('size=64',)),
    (('films','a','--layout','tnhw'), ('layout=tnhw','size, channels')),
    (('films','a','--frames','21'), ('0.mp4, the longest video, has 20 frames','21 or more')),
    (('films','a','--frames','-1'), ('n_frames=-1',)),
    (('films','a','--size','-1'), ('size=-1',)),
    (('films','a','--channels','2'), ('channels=2',)),
    (('mnist.npy','a','--layout','tnhx'), ("layout='tnhx'",)),
    (('mnist.npy','a','--layout','tnhw','--fps','0'), ('fps=0',)),
    (('balls','notes','--to','mp4'), ('a.txt is there already',)),
    (('balls','text.npy'), ('text.npy is there already',)),
    (('films','films/new'), ('lies in the source',)),
], ids=lambda o: '-'.join(o) if isinstance(o, tuple) and len(o)>1 else None)
def test_wrong_input(argv, words, home):
    before = tree(home)
    assert_refused(convert(*argv, cwd=home), *words)
    assert tree(home)==before

def test_shards_of_another_source_are_refused(home, tmp_path):
    assert convert(home/'films', 'a', '--frames', '6', cwd=tmp_path).returncode==0
    before = tree(tmp_path)
    assert_refused(convert(home/'films', 'a', '--frames', '5', cwd=tmp_path), 'n_frames=6', 'n_frames=5')
    assert_refused(convert(home/'mnist.npy', 'a', '--layout', 'tnhw', cwd=tmp_path), 'was made with')
    assert tree(tmp_path)==before

def test_torn_film_among_good_ones_is_counted(home, tmp_path):
    (tmp_path/'f').mkdir()
    for p in (home/'films').iterdir(): (tmp_path/'f'/p.name).write_bytes(p.read_bytes())
    (tmp_path/'f'/'2.mp4').write_bytes((home/'films'/'0.mp4').read_bytes()[:400])
    r = convert('f', 'a', '--frames', '6', cwd=tmp_path)
    assert r.returncode==0 and 'f: 2 of 3 clips used; left out: 1 torn, or no video at all; the first is 2.mp4' in r.stdout, r.stdout
    assert open_episodes(tmp_path/'a').skipped=={'2.mp4':'torn, or no video at all'}
