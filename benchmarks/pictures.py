"Draw the film of all worlds on the front page, nbs/images/worlds.gif"
import argparse, sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import numpy as np
from PIL import Image
from world_models.storage import atomic_path
from world_models.rendering import render
from world_models.simulation import WORLDS, simulate


if __name__=='__main__':
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--size', type=int, default=72, help='pixels of a world')
    p.add_argument('--columns', type=int, default=8)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--out', type=Path, default=Path(__file__).resolve().parents[1]/'nbs'/'images'/'worlds.gif')
    args = p.parse_args()
    films = []
    for name in WORLDS:
        ep = simulate(name, n=1, n_frames=30, seed=args.seed, **dict(projectile=dict(trail=5)).get(name,{}))
        films.append(np.pad(render(ep, args.size, 3)[0], ((0,0),(1,1),(1,1),(0,0)), constant_values=90))
    films += [np.zeros_like(films[0])]*(-len(films)%args.columns)
    rows = [np.concatenate(films[i:i+args.columns], 2) for i in range(0,len(films),args.columns)]
    frames = [Image.fromarray(o).quantize(48, dither=Image.Dither.NONE) for o in np.concatenate(rows, 1)]
    with atomic_path(args.out) as tmp: frames[0].save(tmp, save_all=True, append_images=frames[1:], duration=67, loop=0, optimize=True)
    print(f'{args.out.name}: {len(WORLDS)} worlds, {args.out.stat().st_size//1000} kB')
