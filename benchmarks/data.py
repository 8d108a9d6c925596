"""Measure how fast clips are made, stored and loaded, and write results/data.json

The rows are those that the data pages answer for: simulating and drawing each world, all default clips on disk, and windows from shards, from memory and from films.
A rate is that of the median of `--repeats` calls after one that is not counted. `--quick` measures a little of everything."""
import argparse, json, os, subprocess, sys
os.environ.update({f'{o}_NUM_THREADS':'1' for o in ('OMP','OPENBLAS','MKL')})
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import av, cv2
import numpy as np
import torch
from world_models.core import manifest
from world_models.storage import check_result, save_result
from world_models.datasets import VideoSet, Windows, find_videos, read_clip, write_episodes, write_video
from world_models.loading import Batches, Direct, Resident
from world_models.rendering import render
from world_models.simulation import WORLDS, simulate

# clips a second that each world must reach in one process and one thread, and the best of earlier systems
DRAWN = dict(balls_2=('bouncing_balls',dict(n_balls=2),7000,1070), pendulum=('pendulum',{},5000,1070), spring=('spring_mass',{},5000,1215),
    multi_ball=('multi_ball',{},3500,566), projectile=('projectile',{},8000,1753), double_pendulum=('double_pendulum',{},4000,632),
    falling=('falling_objects',{},6000,1651), waves=('waves',{},1500,275), orbits=('orbits',{},5000,886))


def seconds(f, repeats):
    "Median, shortest and longest wall time of a call, and the median of its processor time, after one call that is not counted"
    f()
    wall,cpu = [],[]
    for _ in range(repeats):
        start,busy = perf_counter(),process_time()
        f()
        wall.append(perf_counter()-start); cpu.append(process_time()-busy)
    return median(wall),min(wall),max(wall),median(cpu)

def row(work, target, n, f, args, **facts):
    "Clips a second of `f`, which handles `n` clips"
    mid,lo,hi,cpu = seconds(f, args.repeats)
    r = dict(work=work, target=target, unit='clips/s', value=round(n/mid), slowest=round(n/hi), fastest=round(n/lo), per_cpu_s=round(n/cpu), met=n/mid>=target, **facts)
    print(f"{work:<44} {r['value']:>7} clips/s ({r['per_cpu_s']} per second of processor), target {target}, {'met' if r['met'] else 'NOT MET'}", flush=True)
    return r

def drawn(args):
    "Simulate and draw each world"
    n = 100 if args.quick else 500
    for name,(world,kw,target,before) in DRAWN.items():
        if world not in WORLDS: continue
        def physics(): return simulate(world, n=n, n_frames=30, fps=15, seed=(args.seed,0), **kw)
        yield row(f'simulate and draw: {name}', target, n, lambda: render(physics(), 64), args, before=before, clips=n, frames=30, size=64, channels=1,
            processes=1, threads=1, simulate_only=round(n/seconds(physics, args.repeats)[0]))

def all_on_disk(args, root):
    "All default clips with their truth, by the command that people type"
    command = [str(Path(sys.executable).parent/'wm-simulate'), '--world', 'all', '--workers', '2', '--out', str(root/'all')]
    if args.quick: command += ['--n', '100']
    start = perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    s = perf_counter()-start
    from world_models.inspection import inspect_sets
    reports = inspect_sets(root/'all') if (root/'all').exists() else []
    clips = sum(len(r.source.lengths) for r in reports if r.source is not None)
    size = sum(p.stat().st_size for p in (root/'all').rglob('*.h5'))
    met = done.returncode==0 and s<=40 and clips>=40_000
    print(f'{clips} clips on disk in {s:.1f} s, target 40,000 in 40 s, {"met" if met else "NOT MET"}', flush=True)
    return dict(work='all default clips on disk', target=40, unit='s', value=round(s,2), met=met, clips=clips, clips_per_s=round(clips/s), MB=round(size/1e6,1),
        processes=2, exit_code=done.returncode, problems=sum(len(r.problems) for r in reports), command='wm-simulate '+' '.join(command[1:-1])+' FOLDER' if not args.quick else 'quick')

def from_disk(args, root):
    "Random windows of 16 frames out of shards of 30, as a batch of bytes"
    n,k = (200,64) if args.quick else (4000,2048)
    for channels,colour in ((1,'grey'),(3,'colour')):
        ds = write_episodes(root/colour, n=n, channels=channels, seed=args.seed)
        w = Windows(ds, 4, 12)
        store,rng = Direct(w),np.random.default_rng(args.seed)
        def draw(): return rng.integers(len(w), size=(k//32,32)) # others at each call
        r = row(f'16 of 30 frames from shards, {colour}', 5000, k, lambda: [store.batch(o) for o in draw()], args, before=85, batch=32, channels=channels, processes=1,
            threads=1, set_MB=round(sum(map(os.path.getsize, ds.files))/1e6,1), stored='HDF5, a chunk of 30 frames a clip, zstd-1')
        clips = w.index[draw()[0],0]
        whole = seconds(lambda: [ds.frames(int(i)) for i in clips], args.repeats)[0]
        out = np.empty((32,16,*ds.frame_shape), np.uint8)
        raw = seconds(lambda: [store.reader.read(*w.index[o].T, out) for o in draw()], args.repeats)[0]
        yield r|dict(bound='unpacking whole chunks, then channels first', bytes_unpacked_per_clip=30*64*64*channels, channels_last=round(k/raw), one_at_a_time=round(32/whole))
        yield from in_memory(args, ds, colour)

def in_memory(args, ds, colour):
    "Windows of 14 frames out of memory, as a batch of 32 as floats"
    w = Windows(ds, 4, 10)
    for name,kw in dict(memory={}, mapped=dict(cache=Path(ds.files[0]).parent/'cache')).items():
        b = Batches(Resident(w, **kw), 32, seed=args.seed)
        k = min(len(b), 8 if args.quick else 64)
        yield row(f'14 frames from {name} as floats, {colour}', 2000, 32*k, lambda: [b[i] for i in range(k)], args, batch=32, processes=1, threads=torch.get_num_threads(),
            bytes_written_per_clip=4*14*int(np.prod(ds.frame_shape)))

def frames_of(path):
    "All frames of a film, decoded on one thread and left as they are"
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        stream.codec_context.thread_count = 1
        yield from film.decode(stream)

def from_films(args, root):
    "Random clips out of H.264 films of 256 px and 60 frames, resized to 64"
    n = 8 if args.quick else 64
    for i in range(0,n,8):
        x = render(simulate('bouncing_balls', n=8, n_frames=60, fps=30, seed=(args.seed,i)), 256, 3)
        for k in range(8): write_video(root/'films'/f'{i+k:03d}.mp4', x[k], 30)
    infos,_ = find_videos(root/'films')
    size = sum(os.path.getsize(o.path) for o in infos)/len(infos)
    for n_frames in (16,60):
        w = Windows(VideoSet(infos, 64, 3), 4, n_frames-4)
        rows = np.random.default_rng(args.seed).integers(len(w), size=(2 if args.quick else 8,32))
        whole = n_frames==60 and seconds(lambda: [sum(1 for _ in frames_of(i.path)) for i in infos[:32]], args.repeats)[0]
        opened = seconds(lambda: [read_clip(infos[i].path, s, n_frames, 64, 3, infos[i]) for i,s in w.index[rows[0]]], args.repeats)[0]
        for threads in (1,2):
            store = Direct(w, threads=threads)
            yield row(f'{n_frames} of 60 frames from films, threads {threads}', 222, rows.size, lambda: [store.batch(o) for o in rows], args, before=74, batch=32,
                processes=1, threads=threads, frames=n_frames, film_bytes=round(size), films=len(infos), opened_each_time=round(32/opened),
                **dict(bound='FFmpeg decoding H.264, without shrinking', decoding_alone=round(min(32,len(infos))/whole)) if whole else {})

def table(path):
    "The rows of a result as Markdown"
    rows = json.loads(Path(path).read_text())['rows']
    return '\n'.join(['| work | target | reached | before |','|---|---|---|---|',
        *(f"| {r['work']} | {r['target']} {r['unit']} | {r['value']} | {r.get('before','')} |" for r in rows)])


if __name__=='__main__':
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--quick', action='store_true', help='little of everything')
    p.add_argument('--only', choices='drawn disk shards films'.split(), nargs='*', default='drawn disk shards films'.split(), help='parts to measure')
    p.add_argument('--repeats', type=int, default=None, help='calls that are timed, 9; 2 with --quick')
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--out', type=Path, default=None, help='results/data.json; with --quick or --only nothing is written unless it is given')
    args = p.parse_args()
    args.repeats = args.repeats or (2 if args.quick else 9)
    whole = not args.quick and len(args.only)==4
    out = args.out or (Path(__file__).parent/'results'/'data.json' if whole else None)
    if out: check_result(out)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    load,start,rows = os.getloadavg()[0],perf_counter(),[]
    with TemporaryDirectory() as tmp:
        root = Path(tmp)
        if 'drawn' in args.only: rows += drawn(args)
        if 'shards' in args.only: rows += from_disk(args, root)
        if 'films' in args.only: rows += from_films(args, root)
        if 'disk' in args.only: rows.append(all_on_disk(args, root))
    facts = manifest(args.seed, dict(total=round(perf_counter()-start,1)), repeats=args.repeats, quick=args.quick, load_before=round(load,2), threads=1)
    if out: save_result(out, facts, rows=rows)
    print(f"{sum(r['met'] for r in rows)} of {len(rows)} rows met"+(f', written to {out}' if out else ', not written'))
