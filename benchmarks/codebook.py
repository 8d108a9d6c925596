"""Measure how many codes are in use, and what codes cost in the drawing, and write results/codebook.json

A small autoencoder with a map of 192×8×8 latents is trained on clips of the ten worlds of `wm-simulate --world all`, without a quantiser, with 512 codes, and with each
remedy against collapse switched off. Usage and perplexity are counted over an epoch, all training frames once; the error is that of clips that were not trained on.
`--quick` tries a little of everything."""
import argparse, json, os, sys
from pathlib import Path
from time import perf_counter
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from world_models.codebooks import CodeUse
from world_models.core import as_frames, manifest, set_seed
from world_models.storage import check_result, save_result
from world_models.decoders import ConvDecoder
from world_models.encoders import MapEncoder
from world_models.generation import COUNTS
from world_models.losses import foreground_weight, reconstruction_loss
from world_models.rendering import render
from world_models.simulation import simulate
from world_models.vq import FSQ, VectorQuantizer

SHAPE = 192,8,8
ARMS = { # name: (arguments of the quantiser, whether k-means places the codes, whether quantising begins late)
    'vq': ({}, True, True), 'rotation': (dict(rotation=True), True, True), 'vq, 8 groups': (dict(groups=8), True, True), 'vq, 16 groups': (dict(groups=16), True, True), 'vq, 32 groups': (dict(groups=32), True, True),
    'by gradient': (dict(ema=None), True, True), 'begun at once': ({}, True, False), 'no k-means': ({}, False, True), 'no revival': (dict(revive=0), True, True),
    'as published': (dict(ema=None, revive=0), False, False)} # a codebook learned by gradient from random codes


def clips(n, n_frames, seed, channels):
    "Clips of each of the ten worlds, bytes on the CPU, `(10n,n_frames,h,w,c)`"
    return torch.cat([torch.from_numpy(render(simulate(o, n=n, n_frames=n_frames, fps=15, seed=seed), 64, channels)) for o in COUNTS])

def batches(x, size):
    "All frames once, in order, as floats `(1,size,c,h,w)`"
    for o in x.flatten(0,1).split(size): yield as_frames(o.numpy())[None]

def build(name, args):
    "The quantiser of an arm, or `None`"
    if name=='none': return None
    if name=='FSQ': return FSQ(SHAPE, (8,8,8))
    kw,k_means,_ = ARMS[name]
    q = VectorQuantizer(SHAPE, 512, **(dict(ema=args.ema, revive=args.revive, commitment=args.commitment)|kw))
    if not k_means: q.started.fill_(True)
    return q

def train(name, x, args):
    "Train one arm"
    set_seed(args.seed)
    q = build(name, args)
    set_seed(args.seed) # every arm begins with the same encoder and decoder and sees the same batches
    enc,dec = MapEncoder((args.channels,64,64), SHAPE[0], args.width), ConvDecoder(SHAPE, (args.channels,64,64))
    model = torch.nn.ModuleList([o for o in (enc,q,dec) if o is not None])
    opt = torch.optim.Adam(model.parameters(), args.lr)
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, args.lr, args.steps)
    flat,pick,dark = x.flatten(0,1), torch.Generator().manual_seed(args.seed), torch.zeros(args.channels,64,64)
    _,k_means,late = ARMS.get(name, (None,False,False))
    warm = int(args.warm*args.steps)*late
    for i in range(args.steps):
        if q is not None and i==args.steps*9//10: q.reviving = False
        u = as_frames(flat[torch.randint(len(flat), (args.batch,), generator=pick)].numpy())[None]
        z,loss = enc(u),0.
        if q is not None and i>=warm:
            if i==warm and k_means: # place the codes among the latents of several batches
                some = torch.randint(len(flat), (160,), generator=torch.Generator().manual_seed(args.seed+1))
                with torch.no_grad(): q.start(enc(as_frames(flat[some].numpy())[None]))
            z,_,loss = q(z)
        loss = loss + args.scale*reconstruction_loss(dec.logits(z), u, foreground_weight(u, dark))
        opt.zero_grad(); loss.backward(); opt.step(); sched.step()
    return enc.eval(), (q if q is None else q.eval()), dec.eval()

@torch.no_grad()
def measure(parts, x, held):
    "Use of the codes over an epoch of `x`; mean absolute error on `held`, of all pixels and of those that are not dark"
    enc,q,dec = parts
    use,all_,lit,n_lit = (None if q is None else CodeUse(q.n_codes)),0.,0.,0.
    if q is not None:
        for u in batches(x, 160): use.add(q(enc(u))[1])
    for u in batches(held, 160):
        z = enc(u)
        e,there = (dec(z if q is None else q(z)[0])-u).abs(), u>.1
        all_,lit,n_lit = all_+e.sum().item(), lit+e[there].sum().item(), n_lit+there.sum().item()
    row = dict(l1=round(all_/held.numel(),5), l1_lit=round(lit/n_lit,4))
    return row if q is None else dict(codes=q.n_codes, usage=round(use.usage,4), perplexity=round(use.perplexity,1), **row)

def table(path):
    "The rows of a result as Markdown"
    rows = json.loads(Path(path).read_text())['rows']
    return '\n'.join(['| quantiser | codes in use over an epoch | perplexity | error, held-out clips | against none |','|---|---|---|---|---|',
        *(f"| {r['arm']} | {r['usage']:.0%} of {r['codes']} | {r['perplexity']} | {r['l1']:.4f} | {r['l1_ratio']:.2f} |" if 'usage' in r
          else f"| {r['arm']} | | | {r['l1']:.4f} | 1 |" for r in rows)])


if __name__=='__main__':
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--quick', action='store_true', help='a few steps on a few clips')
    p.add_argument('--arms', nargs='*', choices=['none','FSQ',*ARMS], default=['none','FSQ',*ARMS])
    p.add_argument('--steps', type=int, default=None, help='steps of each training, 600; 20 with --quick')
    p.add_argument('--clips', type=int, default=None, help='clips of each world, 40; 4 with --quick')
    p.add_argument('--batch', type=int, default=16, help='frames in a batch, each of 64 codes')
    p.add_argument('--channels', type=int, default=3, choices=(1,3))
    p.add_argument('--width', type=int, default=48, help='channels of the first layer of the encoder')
    p.add_argument('--lr', type=float, default=2e-3)
    p.add_argument('--scale', type=float, default=10, help='weight of the drawing beside the loss of the quantiser')
    p.add_argument('--warm', type=float, default=.2, help='part of the steps before quantising begins')
    p.add_argument('--commitment', type=float, default=.25)
    p.add_argument('--ema', type=float, default=.95)
    p.add_argument('--revive', type=float, default=.03)
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--out', type=Path, default=None, help='results/codebook.json; with --quick or --arms nothing is written unless it is given')
    args = p.parse_args()
    whole = not args.quick and set(args.arms)>={'none','FSQ',*ARMS}
    args.steps,args.clips = args.steps or (20 if args.quick else 600), args.clips or (4 if args.quick else 40)
    out = args.out or (Path(__file__).parent/'results'/'codebook.json' if whole else None)
    if out: check_result(out)
    load,start = os.getloadavg()[0],perf_counter()
    x,held = clips(args.clips, 20, (args.seed,0), args.channels), clips(max(args.clips//4,1), 20, (args.seed,1), args.channels)
    seconds,rows = dict(simulate=round(perf_counter()-start,1)),[]
    print(f'{x.shape[0]*x.shape[1]} frames to train on, {held.shape[0]*held.shape[1]} held out', flush=True)
    for name in args.arms:
        start = perf_counter()
        rows.append(dict(arm=name, **measure(train(name, x, args), x, held)))
        seconds[name] = round(perf_counter()-start,1)
        r,base = rows[-1],next((o['l1'] for o in rows if o['arm']=='none'), None)
        if base: r['l1_ratio'] = round(r['l1']/base,3)
        if base and name!='none': r['met'] = dict(usage=r['usage']>=.9, l1=r['l1_ratio']<=1.1)
        print(f'{name:<22}', *(f'{k} {v}' for k,v in r.items() if k!='arm'), f'{seconds[name]} s', flush=True)
    facts = manifest(args.seed, seconds, load_before=round(load,2), shape=SHAPE, **{k: v for k,v in vars(args).items() if k not in ('out','seed')})
    if out: save_result(out, facts, rows=rows)
    print(f'written to {out.name}' if out else 'not written')
