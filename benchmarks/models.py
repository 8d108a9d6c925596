"""Measure how fast whole models train and roll out, and write results/models.json

Sizes are those at which earlier systems of the same kind are known. `video_gru`, `video_lstm`, `video_transformer`: colour frames of 64x64, a vector of 256 each, 4 to 11 % smaller than earlier systems of 17.5 million parameters, batches of
4 clips with 30 frames seen and 30 foretold. `vq_convgru`: batches of 16 clips of 5 frames, 4 seen and 1 foretold, as that earlier system was timed: all five are encoded and drawn, but only one is foretold, so its clips a second
are not to be set beside those of the others; an 8x8 map of 192 channels, 512 codes, a convolutional GRU of 2 x 192. A training step is encoding, foretelling, drawing, loss, gradient and AdamW. Each frame is encoded once, all frames of a batch together; only the rollout goes frame by frame. A rollout is one clip, 4 frames seen and 60 foretold and drawn."""
import argparse, os, sys
from pathlib import Path
from statistics import median
from time import perf_counter
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
p = argparse.ArgumentParser(description=__doc__)
p.add_argument('--quick', action='store_true', help='one repeat and short rollouts; nothing is written unless --out is given')
p.add_argument('--only', nargs='*', default=None, help='presets to measure')
p.add_argument('--modes', nargs='*', default=['float32','bfloat16','float32+compiled','bfloat16+compiled'], help='bfloat16 is autocast; the compiled ones only where there is an aim')
p.add_argument('--threads', type=int, default=os.cpu_count())
p.add_argument('--repeats', type=int, default=5)
p.add_argument('--seed', type=int, default=0)
p.add_argument('--out', type=Path, default=None, help='results/models.json')
args = p.parse_args()
import torch
import torch._inductor.config as inductor
from world_models.core import manifest, set_seed
from world_models.storage import check_result, save_result
from world_models.presets import PRESETS, assemble, costs, preset
from world_models.vq import VectorQuantizer

# samples a second in training and frames a second in a rollout that must be reached, and those of the earlier systems
AIMS = dict(video_gru=dict(train=(2.84,1.42), rollout=(390,130)), video_transformer=dict(rollout=(312,104)), vq_convgru=dict(train=(9.3,4.65), rollout=(216,72)))
ONE_CODE = 'vq_convgru, one code a cell' # the original form; the preset cuts each latent into 32 pieces
AIMS[ONE_CODE] = AIMS['vq_convgru']
SHAPES = {o:(16,4,1) for o in ('vq_convgru',ONE_CODE)} # clips, frames seen, frames foretold; the others take the first line
USUAL = 4,30,30

def build(name):
    "A new model"
    if name!=ONE_CODE: return preset(name)
    p = PRESETS['vq_convgru']
    return assemble(p.encoder((3,64,64)), p.dynamics, quantizer=VectorQuantizer)

def training(model, name, dtype):
    "A function that takes one training step, and the clips in a batch"
    b,n,m = SHAPES.get(name, USUAL)
    x,optimiser = torch.rand(b, n+m, *model.x_shape),torch.optim.AdamW(model.parameters(), 1e-4)
    def vector_loss():
        pred = model(x[:,:n], m)
        return (pred.frames.float()-x[:,n:]).square().mean() + sum(pred.losses.values())
    def codes_loss(): # draws every frame, foretells the last: the autoencoder and its dynamics learn together
        z,_,loss = model.quantizer(model.encoder(x))
        return loss + (model.decode(z).float()-x).square().mean() + (model.imagine(z[:,:n], m)-z[:,n:]).square().mean()
    loss_of = codes_loss if model.quantizer is not None else vector_loss
    def step():
        optimiser.zero_grad()
        with torch.autocast('cpu', torch.bfloat16, enabled=dtype=='bfloat16'): loss = loss_of()
        loss.backward()
        optimiser.step()
    return step, b

def rolling(model, dtype, n):
    "A function that foretells `n` frames of one clip"
    x = torch.rand(1, 4, *model.x_shape)
    def roll():
        with torch.no_grad(), torch.autocast('cpu', torch.bfloat16, enabled=dtype=='bfloat16'): model(x, n)
    return roll

def rate(work, repeats):
    "How much a second: median, least, most, after two calls that are not counted"
    f,n = work
    f(); f()
    times = []
    for _ in range(repeats):
        start = perf_counter(); f(); times.append(perf_counter()-start)
    return [round(n/o, 2) for o in (median(times), max(times), min(times))]

def compiled(model, training):
    "The same model with its three parts compiled; frozen weights are packed once for rollouts"
    inductor.freezing = not training
    for part,f in ((model.encoder,'forward'),(model.dynamics,'step'),(model.decoder,'logits')):
        if not (training and part is model.dynamics): setattr(part, f, torch.compile(getattr(part, f)))
    return model

def measure(name):
    "Rows of one preset"
    set_seed(args.seed)
    facts,frames,rows = costs(build(name), repeats=3),20 if args.quick else 60,[]
    print(f"{name}: {facts['parameters']/1e6:.2f} M parameters, multiply-adds a frame: encode {facts['encode_madds']/1e6:.0f} M, step {facts['step_madds']/1e6:.1f} M, decode {facts['decode_madds']/1e6:.0f} M", flush=True)
    for work in ('train','rollout'):
        aim,before = AIMS.get(name,{}).get(work,(None,None))
        for mode in args.modes:
            dtype,fast = mode.split('+')[0],'compiled' in mode
            if fast and aim is None: continue
            torch._dynamo.reset()
            set_seed(args.seed)
            model = build(name).train(work=='train')
            if fast: model = compiled(model, work=='train')
            made = training(model, name, dtype) if work=='train' else (rolling(model, dtype, frames), frames)
            mid,low,high = rate(made, 1 if args.quick else args.repeats)
            rows.append(dict(preset=name, work=work, mode=mode, value=mid, slowest=low, fastest=high, unit='clips/s' if work=='train' else 'frames/s', aim=aim, before=before,
                met=None if aim is None else mid>=aim, threads=args.threads, **{k:facts[k] for k in ('parameters','encode_madds','step_madds','decode_madds')}))
            print(f"  {work:8} {mode:18} {mid:8.1f} {rows[-1]['unit']}"+(f", aim {aim}, before {before}: {'met' if mid>=aim else 'not met'}" if aim else ''), flush=True)
    return rows

def best(rows):
    "The fastest mode of each work for which there is an aim"
    pairs = {(r['preset'],r['work']) for r in rows if r['aim']}
    return [max((r for r in rows if (r['preset'],r['work'])==p), key=lambda r: r['value']) for p in sorted(pairs)]

if __name__=='__main__':
    out = args.out or (None if args.quick or args.only else Path(__file__).parent/'results'/'models.json')
    if out: check_result(out)
    torch.set_num_threads(args.threads)
    load,start = os.getloadavg()[0],perf_counter()
    rows = [r for name in args.only or [*PRESETS,ONE_CODE] for r in measure(name)]
    facts = manifest(args.seed, dict(total=round(perf_counter()-start,1)), repeats=args.repeats, load_before=round(load,2), train_shape=USUAL, train_shapes=SHAPES)
    if out: save_result(out, facts, rows=rows)
    for r in best(rows): print(f"{r['preset']} {r['work']}: {r['value']} {r['unit']} at best, {r['mode']}; aim {r['aim']}, {'met' if r['met'] else 'NOT MET'}")
    print(f"{sum(r['met'] for r in best(rows))} of {len(best(rows))} aims met"+(f', written to {out}' if out else ', not written'))
