"Measure how many clips a second each world makes, simulation and drawing, and write results/simulate.json"
import argparse, os, sys
os.environ.update({f'{o}_NUM_THREADS':'1' for o in ('OMP','OPENBLAS','MKL')})
from pathlib import Path
from time import process_time
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from world_models.core import manifest, track
from world_models.storage import check_result, save_result
from world_models.rendering import render
from world_models.simulation import WORLDS, simulate

TARGETS = dict(bouncing_balls=7000, pendulum=5000, spring_mass=5000, multi_ball=3500, projectile=8000, double_pendulum=4000,
    falling_objects=6000, waves=1500, orbits=5000) # clips/s with grey frames of 30x64x64


def seconds(f, repeats):
    "Least processor time of a call, after one call that is not counted"
    f()
    out = []
    for _ in range(repeats):
        start = process_time()
        f()
        out.append(process_time()-start)
    return min(out)


def measure(world, args):
    "Clips a second of one world: physics, drawing, both"
    make = lambda: simulate(world, n=args.clips, n_frames=args.frames, seed=(args.seed,0))
    ep = make()
    s = dict(simulate=seconds(make, args.repeats), draw=seconds(lambda: render(ep, args.size), args.repeats),
        both=seconds(lambda: render(make(), args.size), args.repeats), both_colour=seconds(lambda: render(make(), args.size, 3), args.repeats))
    out = {f'{k}_clips_per_s': round(args.clips/v) for k,v in s.items()}
    standard = (args.frames,args.size) == (30,64)
    return {**out, 'target': TARGETS[world]} if standard and world in TARGETS else out


if __name__=='__main__':
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--worlds', nargs='*', choices=list(WORLDS), default=list(WORLDS), help='which; all if left out')
    p.add_argument('--clips', type=int, default=500, help='clips in a call, as in a shard')
    p.add_argument('--frames', type=int, default=30)
    p.add_argument('--size', type=int, default=64)
    p.add_argument('--repeats', type=int, default=9)
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--out', type=Path, default=Path(__file__).parent/'results'/'simulate.json')
    args = p.parse_args()
    check_result(args.out)
    load = os.getloadavg()[0]
    rows = {o: measure(o, args) for o in track(args.worlds, 'timing worlds')}
    facts = manifest(args.seed, clips=args.clips, frames=args.frames, size=args.size, repeats=args.repeats, processes=1,
        clock='processor time, least of the repeats', load_before=round(load,2))
    facts['threads'] = 1
    save_result(args.out, facts, worlds=rows)
    print(f"{'clips a second':16} {'physics':>8} {'drawing':>8} {'both':>8} {'colour':>8} {'target':>8}")
    for k,v in rows.items():
        aim = v.get('target')
        verdict = '' if aim is None else f"{aim:8,} {'met' if v['both_clips_per_s']>=aim else 'MISSED'}"
        print(f'{k:16}', *(f'{v[f"{o}_clips_per_s"]:8,}' for o in ('simulate','draw','both','both_colour')), verdict)
