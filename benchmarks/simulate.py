"Measure how many clips a second each world makes, simulation and drawing, and write results/simulate.json"
import argparse, json, os, sys
os.environ.update({f'{o}_NUM_THREADS':'1' for o in ('OMP','OPENBLAS','MKL')})
from pathlib import Path
from statistics import median
from time import perf_counter
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import numpy as np
from world_models.core import atomic_path, manifest
from world_models.rendering import render
from world_models.simulation import WORLDS, simulate


def seconds(f, repeats):
    "Median wall time of a call, after one call that is not counted"
    f()
    out = []
    for _ in range(repeats):
        start = perf_counter()
        f()
        out.append(perf_counter()-start)
    return median(out)


def measure(world, args):
    "Clips a second of one world: physics, drawing, both"
    make = lambda: simulate(world, n=args.clips, n_frames=args.frames, seed=(args.seed,0))
    ep = make()
    s = dict(simulate=seconds(make, args.repeats), draw=seconds(lambda: render(ep, args.size), args.repeats),
        both=seconds(lambda: render(make(), args.size), args.repeats), both_colour=seconds(lambda: render(make(), args.size, 3), args.repeats))
    return {f'{k}_clips_per_s': round(args.clips/v) for k,v in s.items()}


if __name__=='__main__':
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--clips', type=int, default=500, help='clips in a call, as in a shard')
    p.add_argument('--frames', type=int, default=30)
    p.add_argument('--size', type=int, default=64)
    p.add_argument('--repeats', type=int, default=9)
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--out', type=Path, default=Path(__file__).parent/'results'/'simulate.json')
    args = p.parse_args()
    load = os.getloadavg()[0]
    rows = {o: measure(o, args) for o in WORLDS}
    facts = manifest(args.seed, clips=args.clips, frames=args.frames, size=args.size, repeats=args.repeats, processes=1, load_before=round(load,2))
    facts['threads'] = 1
    with atomic_path(args.out) as tmp: tmp.write_text(json.dumps(dict(worlds=rows, manifest=facts), indent=1)+'\n')
    for k,v in rows.items(): print(k, v)
