"""Measure what a detector of discs gets wrong on true frames, world by world, and write results/floor.json

No model can be judged to be better than this: the error of the detector itself. Positions are those of `detection.detect` on rendered frames, paired with the true centres, in pixels
of a frame of `--size`. Objects that are not there (nan) do not count, nor do frames in which one is not seen or touches a wall; walls, whose place is known, are painted over.
Digits are no discs, and waves have no positions: these worlds have no such floor."""
import argparse, json, os, sys
os.environ.update({f'{o}_NUM_THREADS':'1' for o in ('OMP','OPENBLAS','MKL')})
from pathlib import Path
from time import perf_counter
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import numpy as np
import torch
from world_models.core import as_frames, manifest
from world_models.storage import atomic_path
from world_models.detection import Detector, match, true_discs
from world_models.rendering import render
from world_models.simulation import WORLDS, simulate


NO_DISCS = 'moving_mnist','waves'

def whole_frames(ep):
    "Where every object of a clip is seen, and clear of the wall, `(n,t)`; objects that are there `(n,k)`"
    pos,radius = ep.positions,ep.params['radius']
    there = np.isfinite(pos).all((1,3)) & (radius>0)
    seen = np.stack([ep.col(f'seen{i}')>0 if f'seen{i}' in ep.names else np.ones(pos.shape[:2], bool) for i in range(pos.shape[2])], -1)
    if 'wall' in ep.params:
        lo,hi = (ep.params['wall'][:,None,None,i:i+2] for i in (0,2))
        seen &= (np.hypot(*np.moveaxis(pos-np.clip(pos, lo, hi), -1, 0))>radius[:,None]+.02) | (hi<=lo).any(-1)
    return (seen | ~there[:,None]).all(2), there

def without_walls(ep, x):
    "Frames `(n,t,c,h,w)` with the wall painted over in the colour of the background"
    size = x.shape[-1]
    for film,(left,bottom,right,top) in zip(x, ep.params.get('wall', [])):
        if right>left: film[...,max(0,int((1-top)*size)-1):int((1-bottom)*size)+2, max(0,int(left*size)-1):int(right*size)+2] = x.median()
    return x

def apart(pos, radius):
    "Smallest gap between the edges of two discs, `(n,t,k)` pixels; inf for a single one"
    d = torch.cdist(pos, pos)-radius[:,None,:,None]-radius[:,None,None]
    d.diagonal(dim1=-2, dim2=-1).fill_(torch.inf)
    return d.amin(-1)

def measure(world, args):
    "Errors of the detector in one world"
    start = perf_counter()
    if world in NO_DISCS: return dict(world=world, note='no discs to find')
    ep = simulate(world, n=args.clips, n_frames=args.frames, fps=15, seed=(args.seed,1))
    ep.params['radius'] = np.array(ep.params['radius'])
    x,(clear,there),dist,gap = without_walls(ep, as_frames(render(ep, args.size))),whole_frames(ep),[],[]
    for kind in np.unique(there, axis=0):
        clips,objects = np.flatnonzero((there==kind).all(1) & clear.any(1)),np.flatnonzero(kind)
        if not len(clips) or not len(objects): continue
        pos,radius = (o[clips][...,objects,:] if o.ndim==4 else o[clips][:,objects] for o in true_discs(ep, args.size))
        d,_ = match(Detector.calibrate(x[clips], pos, radius)(x[clips]), pos, radius)
        dist.append(d[clear[clips]].flatten()); gap.append(apart(pos, radius)[clear[clips]].flatten())
    dist,gap = torch.cat(dist),torch.cat(gap)
    found,free = dist.isfinite(),gap>1
    rmse = lambda which: round(dist[which].square().mean().sqrt().item(), 4) if which.any() else None
    r = dict(world=world, rmse_px=rmse(found), max_px=round(dist[found].max().item(), 3) if found.any() else None, rate=round(found.float().mean().item(), 5),
        apart_rmse_px=rmse(found&free), apart_rate=round(found[free].float().mean().item(), 5) if free.any() else None,
        clips=args.clips, frames_left_out=int((~clear).sum()), discs=len(dist),
        met=bool(found.all()) and rmse(found)<.2, met_apart=bool(found[free].all()) and rmse(free)<.2, seconds=round(perf_counter()-start,1))
    return r


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
    torch.set_num_threads(1)
    start,rows = perf_counter(),[]
    for w in args.worlds:
        rows.append(r := measure(w, args))
        print(f"{w:<18} "+(r.get('note') or f"{r['rmse_px']} px rms, {r['max_px']} at most, {r['rate']:.2%} found; apart {r['apart_rmse_px']} px, {r['apart_rate']}; {r['discs']} discs"), flush=True)
    facts = manifest(args.seed, dict(total=round(perf_counter()-start,1)), clips=args.clips, frames=args.frames, size=args.size, target_px=.2, threads=1)
    if out:
        with atomic_path(out) as f: f.write_text(json.dumps(dict(worlds=rows, manifest=facts), indent=1)+'\n')
    print(f"{sum(r.get('met',False) for r in rows)} of {sum('met' in r for r in rows)} worlds under 0.2 px with every disc found, {sum(r.get('met_apart',False) for r in rows)} where discs do not overlap"+(f', written to {out}' if out else ', not written'))
