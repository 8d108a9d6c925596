"""Measure what a detector of discs gets wrong on true frames, world by world, and write results/floor.json

No model can be judged to be better than this: the error of the detector itself. Positions are those of `detection.detect` on rendered frames, paired with the true centres, in pixels
of a frame of `--size`. Objects that show less than half of their pixels do not count; `counted` is the share of the others that the harness judges, those found within one radius."""
import argparse, os, sys
os.environ.update({f'{o}_NUM_THREADS':'1' for o in ('OMP','OPENBLAS','MKL')})
from pathlib import Path
from time import perf_counter
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from world_models.core import as_frames, manifest
from world_models.storage import check_result, save_result
from world_models.detection import match, observe
from world_models.rendering import render
from world_models.simulation import WORLDS, simulate

def apart(pos, radius):
    "Smallest gap between the edges of two discs, `(n,t,k)` pixels; inf for a single one"
    d = torch.cdist(pos, pos)-radius[:,None,:,None]-radius[:,None,None]
    d = d.nan_to_num(nan=torch.inf)
    d.diagonal(dim1=-2, dim2=-1).fill_(torch.inf)
    return d.amin(-1)

def measure(world, args):
    "Errors of the detector in one world, on the objects that show half of themselves or more"
    start = perf_counter()
    ep = simulate(world, n=args.clips, n_frames=args.frames, fps=15, seed=args.seed)
    if 'radius' not in ep.params: return dict(world=world, note='no objects to find')
    x = as_frames(render(ep, args.size))
    det,pos,shown,_ = observe(ep, x)
    near,_ = match(det(x), pos, det.radius)
    gap,dist = apart(pos, det.radius)[shown],near[shown]
    found,free = dist.isfinite(),gap>1
    rmse = lambda which: round(dist[which].square().mean().sqrt().item(), 4) if which.any() else None
    return dict(world=world, rmse_px=rmse(found), max_px=round(dist[found].max().item(), 3) if found.any() else None, rate=round(found.float().mean().item(), 5),
        counted=round((near<=det.radius[:,None])[shown].float().mean().item(), 5), shown=round(shown.float().mean().item(), 5),
        apart_rmse_px=rmse(found&free), apart_rate=round(found[free].float().mean().item(), 5) if free.any() else None,
        clips=args.clips, discs=len(dist), met=bool(found.all()) and rmse(found)<.2, met_apart=bool(found[free].all()) and (rmse(found&free) or 0)<.2, seconds=round(perf_counter()-start,1))


if __name__=='__main__':
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--clips', type=int, default=200, help='clips of each world')
    p.add_argument('--frames', type=int, default=30)
    p.add_argument('--size', type=int, default=64)
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--worlds', nargs='*', default=list(WORLDS))
    p.add_argument('--quick', action='store_true', help='20 clips of each world; nothing is written unless --out is given')
    p.add_argument('--out', type=Path, default=None, help='results/floor.json')
    args = p.parse_args()
    if args.quick: args.clips = 20
    out = args.out or (None if args.quick else Path(__file__).parent/'results'/'floor.json')
    if out: check_result(out)
    torch.set_num_threads(1)
    start,rows = perf_counter(),[]
    for w in args.worlds:
        rows.append(r := measure(w, args))
        print(f"{w:<18} "+(r.get('note') or f"{r['rmse_px']} px rms, {r['max_px']} at most, {r['rate']:.2%} found; apart {r['apart_rmse_px']} px, {r['apart_rate']}; {r['discs']} discs"), flush=True)
    facts = manifest(args.seed, dict(total=round(perf_counter()-start,1)), clips=args.clips, frames=args.frames, size=args.size, target_px=.2, threads=1)
    if out: save_result(out, facts, worlds=rows)
    print(f"{sum(r.get('met',False) for r in rows)} of {sum('met' in r for r in rows)} worlds under 0.2 px with every disc found, {sum(r.get('met_apart',False) for r in rows)} where discs do not overlap"+(f', written to {out}' if out else ', not written'))
