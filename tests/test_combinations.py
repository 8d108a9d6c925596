"Anything that fits is built, trained a step, rolled out, saved and loaded; anything else is refused"
from itertools import product
import pytest, torch
from world_models.core import InputError
from world_models.decoders import ConvDecoder
from world_models.deep_decoders import MapDecoder, TokenDecoder, VectorDecoder
from world_models.dynamics import ConvGRUDynamics, ResConvDynamics
from world_models.encoders import ConvEncoder, MapEncoder, VectorEncoder
from world_models.pretrained import BackboneEncoder, PretrainedEncoder
from world_models.rssm import RSSM
from world_models.sequence_dynamics import GRUDynamics, LSTMDynamics, TCNDynamics, TransformerDynamics
from world_models.token_dynamics import TokenTransformerDynamics
from world_models.vjepa import VJEPA2Encoder
from world_models.vq import FSQ, VectorQuantizer
from world_models.world_model import PARTS, WorldModel, load_model, save_model

X = 3,32,32
TINY = dict(hidden_size=24, num_hidden_layers=1, num_attention_heads=2, crop_size=32, frames_per_clip=4, patch_size=16, tubelet_size=2, pred_hidden_size=24, pred_num_attention_heads=2, pred_num_hidden_layers=1)
ENCODERS = dict(
    vector=dict(own=lambda: VectorEncoder(X, 16, width=8), resnet=lambda: PretrainedEncoder('resnet10t', X, 'vector', pretrained=False)),
    map=dict(conv=lambda: ConvEncoder(X, 8, width=8), own=lambda: MapEncoder(X, 8, width=8),
        resnet=lambda: PretrainedEncoder('resnet10t', X, 'map', stage=2, pretrained=False)),
    tokens=dict(vit=lambda: PretrainedEncoder('test_vit', X, 'tokens', pretrained=False),
        vjepa=lambda: VJEPA2Encoder(TINY, X, pretrained=False)))
DYNAMICS = dict(vector=[lambda z,n,c=c: c(z, width=16, n_act=n) for c in (GRUDynamics, LSTMDynamics, TCNDynamics)] +
        [lambda z,n: TransformerDynamics(z, 16, 1, 2, n_act=n), lambda z,n: RSSM(z, 16, 2, 4, 16, n_act=n)],
    map=[lambda z,n: ResConvDynamics(z, width=8, depth=1, n_act=n), lambda z,n: ConvGRUDynamics(z, width=8, n_act=n)],
    tokens=[lambda z,n: TokenTransformerDynamics(z, 16, 1, 2, n_act=n)])
DECODERS = dict(vector=[lambda z,o=o: VectorDecoder(z, X, width=4, attention=o) for o in (False,True)],
    map=[lambda z: MapDecoder(z, X, width=4), lambda z: ConvDecoder(z, X, width=4)], tokens=[lambda z: TokenDecoder(z, X, width=4)])
QUANTIZERS = [None, lambda z,kind: VectorQuantizer(z, 8, kind), lambda z,kind: FSQ(z, (3,3), kind)]
FITTING = [(kind,e,d,q,c) for kind in ENCODERS for e,d,q,c in product(ENCODERS[kind], *(range(len(o)) for o in (DYNAMICS[kind], QUANTIZERS, DECODERS[kind])))]
LEGAL = [o for o in FITTING if o[0]=='tokens' or ([*ENCODERS[o[0]]].index(o[1])+sum(o[2:]))%2==0] # every second one, so that each two parts still meet

def build(kind, e, d, q, c, n_act):
    encoder = ENCODERS[kind][e]()
    z = encoder.spec.shape
    quantizer = QUANTIZERS[q] and QUANTIZERS[q](z, kind)
    return WorldModel(encoder, DYNAMICS[kind][d](z, n_act), DECODERS[kind][c](z), quantizer)

def same(f):
    torch.manual_seed(3)
    with torch.no_grad(): return f()

@pytest.mark.parametrize('kind,e,d,q,c', LEGAL)
def test_every_legal_combination(kind, e, d, q, c, tmp_path):
    torch.manual_seed(0)
    n_act = 2*((d+q+c)%2)
    x,a = torch.rand(2,5,*X),torch.randn(2,8,n_act)
    model = build(kind, e, d, q, c, n_act).train()
    with torch.no_grad():
        for p in model.dynamics.out.parameters(): p.normal_(std=.1) # an untrained model says that nothing moves
    before = {k:v.clone() for k,v in model.named_parameters()}
    pred = model(x[:,:3], 2, a[:,:4])
    loss = (pred.frames-x[:,3:]).square().mean() + sum(pred.losses.values())
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-2)
    loss.backward(); optimiser.step()
    moved = {k.split('.')[0] for k,v in model.named_parameters() if not torch.equal(v, before[k])}
    frozen = isinstance(model.encoder, BackboneEncoder)
    assert loss.isfinite() and {'dynamics','decoder'} <= moved and frozen == ('encoder' not in moved)
    model.eval()
    film = same(lambda: model(x[:,:3], 5, a[:,:7]).frames)
    assert film.shape==(2,5,*X) and film.isfinite().all() and 0<=film.min() and film.max()<=1
    again = load_model(save_model(model, tmp_path/'m'))
    assert torch.equal(same(lambda: again(x[:,:3], 5, a[:,:7]).frames), film)
    z = torch.randn(2,5,*model.spec.shape)
    torch.testing.assert_close(same(lambda: model.decode(z.roll(1,0))), same(lambda: model.decode(z)).roll(1,0), atol=1e-5, rtol=1e-4)
    assert (same(lambda: model.decode(z.roll(1,0)))-same(lambda: model.decode(z))).abs().max() > 1e-5 # the picture follows the latent

def test_all_parts_are_tried():
    "A class that can be loaded from a folder takes part in the combinations, and every two parts that fit meet in one"
    made = [f() for k in ENCODERS for f in ENCODERS[k].values()]
    for kind in ENCODERS:
        z = next(iter(ENCODERS[kind].values()))().spec.shape
        made += [f(z,0) for f in DYNAMICS[kind]] + [f(z) for f in DECODERS[kind]] + [f(z,kind) for f in QUANTIZERS if f]
    assert set(PARTS)=={type(p).__name__ for p in made}
    pairs = lambda cases: {(o[0],i,o[i],j,o[j]) for o in cases for i in range(1,5) for j in range(1,i)}
    assert pairs(LEGAL)==pairs(FITTING)

@pytest.mark.parametrize('kind,other', [(k,o) for k in ENCODERS for o in ENCODERS if o!=k])
def test_what_does_not_fit_is_refused(kind, other):
    "One line that names both specs, for each part in turn"
    encoder,stranger = (ENCODERS[k][next(iter(ENCODERS[k]))]() for k in (kind,other))
    z,wrong = encoder.spec.shape,stranger.spec.shape
    fits = lambda: dict(dynamics=DYNAMICS[kind][0](z,0), decoder=DECODERS[kind][0](z), quantizer=QUANTIZERS[1](z,kind))
    for part in (dict(dynamics=DYNAMICS[other][0](wrong,0)), dict(decoder=DECODERS[other][0](wrong)), dict(quantizer=QUANTIZERS[1](wrong,other))):
        with pytest.raises(InputError) as said: WorldModel(encoder, **fits()|part)
        assert str(encoder.spec) in str(said.value) and str(stranger.spec) in str(said.value)
