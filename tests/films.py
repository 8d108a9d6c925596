"Films that no code of ours has drawn or written: Gymnasium's classic control, put on disk by PyAV alone"
import os
os.environ.setdefault('SDL_VIDEODRIVER', 'dummy')
import av
import numpy as np

ENVS = {'CartPole-v1':(400,600), 'Pendulum-v1':(500,500), 'MountainCar-v0':(400,600), 'Acrobot-v1':(500,500)} # height, width

def write_film(path, frames, fps=30, codec='libx264', **options):
    "Write `(t,h,w,3)` bytes"
    with av.open(str(path), 'w') as c:
        v = c.add_stream(codec, rate=fps, options=options or {'crf':'18'})
        v.height,v.width,v.pix_fmt = *frames.shape[1:3],'yuv420p'
        v.codec_context.thread_count = 1
        for x in frames: c.mux(v.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(x), format='rgb24')))
        c.mux(v.encode())

def policy(name, rng):
    "`f(obs, t)` that keeps the thing moving; the car on the mountain is let go and rolls to and fro"
    period,phase = rng.uniform(60,120),rng.uniform(0,2*np.pi)
    wave = lambda t: np.sin(2*np.pi*t/period+phase)
    return {'CartPole-v1': lambda o,t: int(1.2*wave(t)-o[0] > .15*o[1]),
        'Pendulum-v1': lambda o,t: np.array([2*wave(t)], np.float32),
        'MountainCar-v0': lambda o,t: 1,
        'Acrobot-v1': lambda o,t: 2 if o[4]>=0 else 0}[name]

def frames_of(name, n_frames, seed):
    "Frames `(t,h,w,3)`, with no regard to when the game calls itself over: a pole that fell swings on below its cart"
    import gymnasium
    env = gymnasium.make(name, render_mode='rgb_array').unwrapped
    gymnasium.logger.min_level = gymnasium.logger.ERROR
    rng = np.random.default_rng(seed)
    obs,_ = env.reset(seed=seed)
    if name=='CartPole-v1': env.state = np.array([rng.uniform(-1,1), .5, rng.uniform(-3,3), .5])
    if name=='Pendulum-v1': env.state = np.array([rng.uniform(-3,3), rng.uniform(-3,3)])
    if name=='MountainCar-v0': env.state = np.array([rng.uniform(-1.1,-.8) if seed%2 else rng.uniform(-.3,0), 0])
    if name=='Acrobot-v1': env.state = rng.uniform(-1.5,1.5,4)
    act,out = policy(name, rng),[]
    for t in range(n_frames):
        out.append(env.render())
        obs,*_ = env.step(act(obs,t))
    env.close()
    return np.stack(out)

def make_films(folder, name, n, n_frames, seed=0):
    "Write `n` films of an environment"
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n): write_film(folder/f'{i:02d}.mp4', frames_of(name, n_frames, 1000*seed+i))
