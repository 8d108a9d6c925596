"""Ask whether the last layer of a decoder should begin with the same weights for all pixels of a cell, and write results/decoder_start.json

The demo's training, a few seeds each way, side by side; between the two nothing differs but how that one layer begins. A run begins a training of its own in a process of its own,
`--jobs` at a time, on one thread each. `rmse`, `found` and `psnr` are those of `evaluation.evaluate` on held-out clips at a few steps, `floor` is the PSNR of true frames drawn again."""
import argparse, sys, tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from world_models import demo
from world_models.core import manifest
from world_models.decoders import Upsample
from world_models.storage import check_result, save_result

AT = 1,5,10,20,26

def begun(build, alike, x_shape):
    "The demo's model, its last layer begun one way or the other"
    model = build(x_shape)
    model.decoder.net[-1] = Upsample(model.decoder.width, x_shape[0], 4, alike=alike)
    return model

def one(job, device, quick):
    "One training and its report, at the steps `AT`"
    alike, seed = job
    torch.set_num_threads(1)
    start, demo.build_model = perf_counter(), partial(begun, demo.build_model, alike)
    with tempfile.TemporaryDirectory() as out:
        plan = demo.make_plan(seed=seed, quick=quick, device=device)
        clips, parts = demo.get_clips(out, plan)
        demo.train_model(out, plan, clips, parts, device=device)
        report = demo.judge_model(out, plan, clips, parts, device=device)
    steps = [t-1 for t in AT if t<=plan['horizon']]
    row = {k: report.curve(m)[steps].round(5).tolist() for k,m in dict(rmse='position_rmse', found='detection_rate', psnr='psnr').items()}
    row = dict(alike=alike, seed=seed, floor=report.curve('psnr','floor')[steps].round(3).tolist()) | row
    print(dict(alike=alike, seed=seed), *(f'{k} '+' '.join(f'{v:.4g}' for v in row[k]) for k in ('rmse','found','psnr','floor')), sep='  ', flush=True)
    return row | dict(seconds=round(perf_counter()-start, 1))

if __name__=='__main__':
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--seeds', type=int, default=4, help='trainings each way')
    p.add_argument('--jobs', type=int, default=2, help='trainings at a time')
    p.add_argument('--device', default='cpu')
    p.add_argument('--quick', action='store_true', help='one short training each way; nothing is written unless --out is given')
    p.add_argument('--out', type=Path, default=None, help='results/decoder_start.json')
    args = p.parse_args()
    out = args.out or (None if args.quick else Path(__file__).parent/'results'/'decoder_start.json')
    if out: check_result(out)
    start, jobs = perf_counter(), [(alike,seed) for seed in range(1 if args.quick else args.seeds) for alike in (False,True)]
    with ProcessPoolExecutor(args.jobs, get_context('spawn')) as pool: rows = list(pool.map(partial(one, device=args.device, quick=args.quick), jobs))
    facts = manifest(list(range(args.seeds)), dict(total=round(perf_counter()-start,1)), steps=AT, device=args.device, jobs=args.jobs)
    if out: save_result(out, facts, runs=rows)
    print('written to' if out else 'not written', out or '')
