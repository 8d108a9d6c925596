"""Every world at the ends of what it takes, against an independent integrator

`python tests/test_physics.py --n 500 --only projectile` tries more. From frame to frame, where no event lies between, SciPy must find the next frame from the one
before; so errors of chaotic worlds cannot hide behind their chaos, nor be blamed on it."""
import argparse, warnings
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from world_models.core import InputError, random_stream
from world_models.simulation import WORLDS, simulate

def cases(world, n):
    "Each limit of each parameter alone, then mixtures of limits, of random values between them and of usual values"
    w,rng = WORLDS[world],random_stream('corners',world)
    ends = {k:(lo,hi) for k,(lo,hi) in w.limits.items()}
    for fps in (15,240):
        for k,pair in ends.items():
            for v in pair: yield {k:v, 'fps':fps}
    for _ in range(n):
        some = {k:float(rng.choice([lo,hi,rng.uniform(lo,hi),lo+(hi-lo)*rng.random()**4])) for k,(lo,hi) in ends.items() if rng.random()<.3}
        yield some | {'fps':int(rng.choice([15,60,240,1000]))} | ({'ood':True} if rng.random()<.2 else {})

def law(ep, i):
    "Rate of change of the part of the state that is tested, and its columns"
    p = {k:v[i] for k,v in ep.params.items()}
    cols = lambda *names: [ep.names.index(o) for o in names]
    if ep.world=='pendulum': return lambda t,s: [s[1], -p['gravity']/p['length']*np.sin(s[0])-p['damping']*s[1]], cols('theta','omega')
    if ep.world=='newtons_cradle':
        return lambda t,s: np.r_[s[5:], -p['gravity']/p['length']*np.sin(s[:5])], cols(*(f'theta{j}' for j in range(5)), *(f'omega{j}' for j in range(5)))
    if ep.world=='double_pendulum':
        (L,m),g = (p['length'],p['mass']),p['gravity']
        def rate(t, s): # the mass matrix of two points on rods, solved afresh
            d = s[0]-s[1]
            M = [[m.sum()*L[0], m[1]*L[1]*np.cos(d)], [L[0]*np.cos(d), L[1]]]
            return np.r_[s[2:], np.linalg.solve(M, [-m[1]*L[1]*s[3]**2*np.sin(d)-m.sum()*g*np.sin(s[0]), L[0]*s[2]**2*np.sin(d)-g*np.sin(s[1])])]
        return rate, cols('theta0','theta1','omega0','omega1')
    if ep.world=='waves':
        k2 = np.pi**2*np.array([1,1,2])*p['speed']**2
        return lambda t,s: np.r_[s[3:], -k2*s[:3]-p['damping']*s[3:]], cols(*(f'{o}_{q}' for o in ('mode','rate') for q in ('1_0','0_1','1_1')))
    objects = [j for j in range(ep.positions.shape[2]) if np.isfinite(ep.positions[i,0,j]).all() and p['radius'][j]>0]
    at,go = (cols(*(c+str(j) for j in objects for c in cs)) for cs in (('x','y'),('vx','vy')))
    def pull(x, v):
        speed = np.linalg.norm(v, axis=1, keepdims=True)
        if ep.world=='spring_mass': return np.stack([-p['stiffness']*(x[:,0]-p['anchor'][0]-p['rest'])-p['damping']*v[:,0], 0*v[:,1]], 1)/p['mass']
        if ep.world=='orbits': return -p['mu']*(x-.5)/np.linalg.norm(x-.5, axis=1, keepdims=True)**3
        if ep.world=='pushed_ball': return -p['stiffness']*(x-.5)-p['damping']*v
        if ep.world=='moving_mnist': return 0*v
        if ep.world=='falling_objects': return -p['gravity']*np.array([0,1])*(1+speed*np.abs(v)/p['terminal'][objects,None]**2*np.sign(v))
        return -p['gravity']*np.array([0,1]) - (p['drag']*speed if ep.world=='projectile' else 0)*v
    k = 2*len(objects)
    return lambda t,s: np.r_[s[k:], pull(s[:k].reshape(-1,2), s[k:].reshape(-1,2)).ravel()], at+go

def error(ep):
    "Largest error of a frame that follows from the one before, over the largest number there is"
    worst = 0.
    for i in range(len(ep)):
        if ep.world in ('random_kicks','bouncing_shapes') or ep.world=='impossible_twins' and (i%2 or ep.params['violation'][i]==4): continue # kicks and turns come within a frame; the last is broken
        f,cols = law(ep, i)
        s,times = ep.state[i][:,cols].copy(),ep.events['time'][ep.events['clip']==i]
        if ep.world=='pushed_ball': s[:-1,2:] += ep.actions[i]
        for t in range(ep.n_frames-1):
            lo,hi = (t-1e-6)/ep.fps, (t+1+1e-6)/ep.fps
            if ((times>=lo) & (times<=hi)).any() or ep.world=='falling_objects' and (times<=lo).any(): continue
            y = solve_ivp(f, (0,1/ep.fps), s[t], 'DOP853', rtol=1e-9, atol=1e-10).y[:,-1]
            to = ep.state[i,t+1,cols]
            half = len(cols)//2
            worst = max(worst, np.abs(y-to)[:half].max()/max(1,np.abs(to[:half]).max()))
    return worst

def run(world, n):
    "Tried, made, and what went wrong"
    made,wrong,tried = 0,[],0
    for kw in cases(world, n):
        tried += 1
        try:
            with warnings.catch_warnings(): # a warning of NumPy is a number that went wrong
                warnings.simplefilter('error', RuntimeWarning)
                ep = simulate(world, n=4, n_frames=8, seed=tried, **kw)
        except InputError: continue
        except Exception as e: wrong.append((kw, repr(e)[:100])); continue
        made += 1
        gone = np.isnan(ep.state)
        if (gone.any(1)!=gone.all(1)).any() or not all(np.isfinite(o).all() for o in (ep.energy,ep.momentum,ep.events['time'])): wrong.append((kw,'nan'))
        elif (off := error(ep))>1e-4: wrong.append((kw, f'off by {off:.1e}'))
    return tried, made, wrong

@pytest.mark.parametrize('world', WORLDS)
def test_ends_of_the_ranges(world):
    tried,made,wrong = run(world, 12)
    assert not wrong, wrong[:3]
    assert made>=tried/5, f'{made} of {tried}'

if __name__=='__main__':
    o = argparse.ArgumentParser(description=__doc__)
    o.add_argument('--n', type=int, default=200)
    o.add_argument('--only', nargs='*', default=list(WORLDS))
    o = o.parse_args()
    for world in o.only:
        tried,made,wrong = run(world, o.n)
        print(f'{world:18} {tried} tried, {made} made, {len(wrong)} wrong', *wrong[:5], sep='\n   ', flush=True)
