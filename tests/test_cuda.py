"Everything on a GPU as on the CPU: the same numbers, on the device, and nothing left behind. Without CUDA the CPU goes the same way alone"
import copy, warnings
import numpy as np, pytest, torch
from torch import nn, Tensor
from test_combinations import DECODERS, DYNAMICS, ENCODERS, X, build
from world_models import feature_losses as fe, frame_losses as fl, latent_losses as ll, losses as lo, readouts as ro
from world_models.baselines import copy_last, mean_frame, optical_flow
from world_models.codebooks import code_means, pca_order
from world_models.core import as_frames, torch_stream
from world_models.datasets import write_episodes
from world_models.evaluation import evaluate, psnr, ssim
from world_models.listings import open_latents, save_latents
from world_models.monitoring import CodeUseCB
from world_models.presets import PRESETS, costs, preset
from world_models.rollout import rollout
from world_models.sequence_dynamics import check_dynamics
from world_models.training import ForetellCB, Learner, encode_clips, fit_autoencoder, fit_dynamics, video_dls
from world_models.world_model import load_model, save_model

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA')
devices = pytest.mark.parametrize('device', ['cpu', pytest.param('cuda', marks=GPU)])
SMALL = 3,16,16
SHAPES = dict(vector=(16,), map=(8,4,4), tokens=(16,12))
COVER = [(kind, [*ENCODERS[kind]][i%len(ENCODERS[kind])], i%len(DYNAMICS[kind]), i%3, min(i, len(DECODERS[kind])-1)) for kind in SHAPES
    for i in range(max(3, *(len(o[kind]) for o in (ENCODERS,DYNAMICS,DECODERS))))] # each part in turn

@pytest.fixture(autouse=True)
def exact():
    "Without TF32, whose products have ten bits; that of plain products is off unless asked for"
    torch.manual_seed(0)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False): yield

def leaves(o):
    "Every tensor in what a function gave"
    if isinstance(o, Tensor): yield o
    for v in o.values() if isinstance(o, dict) else o if isinstance(o, (tuple,list)) else vars(o).values() if hasattr(o, 'frames') else (): yield from leaves(v)

def answers(f, inputs, device, dtype, amp=None):
    "What `f` gives on the device, and all gradients; all of it finite and there"
    m = copy.deepcopy(f).to(device, dtype) if isinstance(f, nn.Module) else f
    there = lambda o: tuple(map(there, o)) if isinstance(o, tuple) else o.detach().to(device, dtype).requires_grad_() if isinstance(o, Tensor) else o
    x = there(inputs)
    with torch.autocast(device, amp or torch.bfloat16, enabled=amp is not None): out = list(leaves(m(*x)))
    if any(o.requires_grad for o in out): sum((o.float() if amp else o).square().mean() for o in out if o.requires_grad).backward()
    out += [o.grad for o in [*leaves(x), *(m.parameters() if isinstance(m, nn.Module) else ())] if o.requires_grad and o.grad is not None]
    assert {o.device.type for o in out}=={device} and all(o.isfinite().all() for o in out)
    return [o.detach().cpu().double() for o in out]

def same(f, *inputs, device, tol=3e-3):
    "In single precision on the device as in double precision on the CPU, to a few thousandths of the whole"
    for a,b in zip(answers(f, inputs, device, torch.float32), answers(f, inputs, 'cpu', torch.float64), strict=True):
        assert a.shape==b.shape and (a-b).norm() <= tol*b.norm()+1e-5

def wake(model):
    "An untrained model says that nothing moves; and throws dice that differ by device"
    with torch.no_grad():
        for p in model.dynamics.out.parameters(): p.normal_(std=.1)
    if hasattr(model.dynamics, 'sample'): model.dynamics.sample = False
    return model.eval()

@pytest.mark.parametrize('kind,e,d,q,c,device', [(*o,'cpu') for o in COVER if o[1] in ('own','conv')] + [pytest.param(*o, 'cuda', marks=GPU) for o in COVER])
def test_parts(kind, e, d, q, c, device):
    model = wake(build(kind, e, d, q, c, 2))
    inputs = torch.rand(2,3,*X), 2, torch.randn(2,4,2)
    same(model, *inputs, device=device)
    for amp in (torch.bfloat16,torch.float16): answers(model.train(), inputs, device, torch.float32, amp)
    check_dynamics(model.dynamics.to(device), tol=1e-3, skip=('feedback',) if hasattr(model.dynamics, 'sample') else ()) # RSSM throws again for what comes

@devices
@pytest.mark.parametrize('name', PRESETS)
def test_presets(name, device): same(wake(preset(name, SMALL, 2)), torch.rand(2,3,*SMALL), 2, torch.randn(2,4,2), device=device)

def loss_calls(x, y, z, u, logits, unit, tau):
    "name → function and inputs"
    heat, noise, w = ro.heat_target(unit, (8,8)), torch.randn_like(z), 1+torch.rand(2,3,1,32,32)
    last = lambda f: lambda a,b: f(a[:,1:], b[:,1:], b[:,0])
    both = lambda a,b: fe.adaptive_weight((a*b).square().mean(), (a-b).square().mean(), a)
    return dict(median=(lo.median_frame, x), foreground=(lambda a,b: lo.foreground_weight(a, b[0,0]), x, y), reconstruction=(lo.reconstruction_loss, x, y, w),
        latent_weight=(lambda a,b: lo.latent_weight(a, b[0,0]), z, u), latent=(lo.latent_loss, z, u), pixel=(fl.pixel_loss, x, y, w), ssim_loss=(fl.ssim_loss, x, y),
        edge=(fl.edge_loss, x, y), gradient=(fl.gradient_difference_loss, x, y), temporal=(last(fl.temporal_loss), x, y), motion=(lambda a: fl.motion_weight(a[:,1:], a[:,0]), x),
        steps=(fl.multi_step_loss, x, y), gaussian=(ll.gaussian_kl, (z,u.exp()), (u,z.exp())), categorical=(ll.balanced_kl, z, u), squeeze=(lambda a: ll.symexp(ll.symlog(a)), z),
        two_hot=(ll.TwoHot(21), logits, u[:,:,0,0,0]), path=(ll.flow_path, z, noise, tau), velocity=(ll.velocity_of, z, u, tau),
        flow=(lambda a,t,b: ll.flow_loss(lambda q,_: q*2, a, 'latent', t, b), z, tau, noise), variance=(ll.variance_loss, z), covariance=(ll.covariance_loss, z),
        features=(fe.RandomFeatureLoss(), x, y), critic=(fe.PatchCritic(3, 8), x), hinge=(lambda a,b: (fe.critic_loss(a,b), fe.generator_loss(b)), z, u), weight=(both, z, u),
        soft=(ro.soft_argmax, z), heat=(lambda a: ro.heat_target(a, (8,8)), unit), heatmap=(ro.heatmap_loss, torch.randn_like(heat), heat), coordinate=(ro.coordinate_loss, unit*.5, unit),
        psnr=(psnr, x, y))

@devices
def test_losses(device):
    x,y,z,u = torch.rand(2,3,*X), torch.rand(2,3,*X), torch.randn(2,3,*SHAPES['map']), torch.randn(2,3,*SHAPES['map'])
    for name,(f,*inputs) in loss_calls(x, y, z, u, torch.randn(2,3,21), 2*torch.rand(2,3,2,2)-1, torch.rand(2)).items():
        try: same(f, *inputs, device=device)
        except Exception as e: raise AssertionError(f'{name}: {type(e).__name__}: {e}') from e
    assert torch.allclose(ssim(x.to(device), y.to(device)).cpu(), ssim(x, y), atol=1e-4)
    rng = torch_stream('a test', device=device)
    drawn = ll.sample_tau((2,), generator=rng, device=device), ll.sigreg(z.to(device), generator=rng), ll.flow_loss(lambda q,_: q, z.to(device))
    assert all(o.device.type==device and o.isfinite().all() for o in drawn)

@devices
@pytest.mark.parametrize('kind', SHAPES)
def test_readouts(kind, device):
    z = torch.randn(2,3,*SHAPES[kind])
    for head in (ro.CoordinateHead(SHAPES[kind], 2), ro.HeatmapHead(SHAPES[kind], (8,8), 2), ro.StateHead(SHAPES[kind], ('x','y'))):
        for p in head.parameters(): nn.init.normal_(p, std=.2)
        same(head, z, device=device)
    assert head.to(device).set_scale(torch.randn(9,2)*3+1).loss(z.to(device), torch.randn(2,3,2, device=device)).device.type==device

@devices
@pytest.mark.parametrize('model', [('conv',0,0,1),('own',1,1,0)])
def test_training(model, device, tmp_path):
    "Bytes on the CPU in, a trained model on the device out, which is saved, read back there, and judged"
    x,model = (torch.rand(6,8,*X)*255).byte(),build('map', *model, 0)
    for epoch in (None,8): # anew, then from the middle
        if epoch is not None: torch.save(torch.load(tmp_path/'draw.pt', weights_only=True) | dict(epoch=epoch), tmp_path/'draw.pt')
        fit_autoencoder(model, x, x, steps=10, bs=4, file=tmp_path/'draw.pt', device=device)
    z = encode_clips(model, x, measure=True)
    fit_dynamics(model, z, z, lo.median_frame(x), n_ctx=3, lengths=(2,), until=None, steps=10, bs=4, file=tmp_path/'foretell.pt', device=device)
    assert {o.device.type for o in model.state_dict().values()}=={device} and z.device.type=='cpu' and z.isfinite().all()
    again = load_model(save_model(model, tmp_path/'m'), device=device)
    y = rollout(model, x[:,:3], 4)
    assert y.device.type=='cpu' and y.isfinite().all() and torch.allclose(rollout(again, x[:,:3].to(device), 4), y, atol=1e-4)
    assert (rollout(load_model(tmp_path/'m'), x[:,:3], 4)-y).abs().mean() < 1e-2 # the CPU reads it too
    report = evaluate(lambda c,a,n: model(c.to(device), n).frames, x.movedim(2,-1).numpy(), n_ctx=3, horizon=4,
        reconstruct=lambda c,fut: model.decode(model.encode(fut.to(device))), metrics=dict(mine=lambda p,q: (p-q).abs().mean((2,3,4)).to(device)))
    assert np.isfinite(report.curve('psnr')).all() and np.isfinite(report.curve('mine','floor')).all()
    save_latents(tmp_path/'z.pt', model.encode(as_frames(x.movedim(2,-1).numpy()).to(device)).detach())
    assert open_latents(tmp_path/'z.pt').latents(0).shape==(8,*model.spec.shape)
    if model.quantizer is not None:
        _,codes,_ = model.quantizer(model.encoder(x.to(device).float()/255))
        back,order,(mean,n) = model.quantizer.codes_to_latents(codes), pca_order(model.quantizer.codebook), code_means(torch.rand(*codes.shape, 4, device=device), codes, 8)
        assert back.device.type==mean.device.type==device and int(n.sum())==codes.numel() and model.quantizer.codebook[order].isfinite().all()

@devices
def test_all_there_already(device):
    "Clips and model on the device, and no word of it: the model stays in one piece"
    x,model = (torch.rand(6,8,*X)*255).byte().to(device),build('map', 'conv', 0, 0, 1, 0).to(device)
    fit_autoencoder(model, x, x, steps=10, bs=4)
    assert len({o.device.type for o in model.state_dict().values()})==1
    z = encode_clips(model, x).to(device)
    fit_dynamics(model, z, z, lo.median_frame(x), n_ctx=3, lengths=(2,), until=None, steps=10, bs=4)
    assert len({o.device.type for o in model.state_dict().values()})==1 and rollout(model, x[:,:3], 2).isfinite().all()
    costs(model, repeats=1)
    for f in (copy_last, mean_frame(x[0,0].cpu()/255), optical_flow): assert rollout(f, x[:,:3]/255, 2).isfinite().all()

@devices
@pytest.mark.parametrize('budget', [None,0]) # frames in the memory of the device, or on disk
def test_loaders_and_learner(budget, device, tmp_path):
    source = write_episodes(tmp_path/'d', n=8, n_frames=8, size=32, channels=3)
    dls = video_dls(source, n_ctx=3, n_fut=2, bs=4, device=device, budget=budget, split=dict(train=range(4), valid=[4,5], test=[6,7]))
    model = build('map', 'own', 1, 1, 0, 0)
    learn = Learner(dls, model, loss_func=nn.MSELoss(), cbs=[ForetellCB(), CodeUseCB()])
    if device=='cuda': learn.to_fp16()
    with warnings.catch_warnings(), learn.no_bar(), learn.no_logging():
        warnings.simplefilter('ignore')
        learn.fit(1)
        pred,true = learn.get_preds()
    assert {o.device.type for o in [*leaves(dls.one_batch()), *model.state_dict().values()]}=={device} and pred.shape==true.shape and pred.isfinite().all()

@GPU
@pytest.mark.parametrize('kind,d', [('vector',3),('map',1),('tokens',0)]) # torch compiles no GRU or LSTM of its own
def test_compile(kind, d, device='cuda', **how):
    "One graph, without a break"
    model = wake(build(kind, next(iter(ENCODERS[kind])), d, 0, 0, 2)).to(device)
    x,a = torch.rand(2,3,*X, device=device), torch.randn(2,2,2, device=device)
    with torch.no_grad():
        h = model.dynamics.observe(model.encode(x), a)
        for f,inputs in ((model.encoder,(x,)), (model.dynamics.step,(h,a[:,0]))):
            for p,q in zip(leaves(torch.compile(f, fullgraph=True, **how)(*inputs)), leaves(f(*inputs)), strict=True): torch.testing.assert_close(p, q, atol=1e-3, rtol=1e-3)
