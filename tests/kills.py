"""Kill or tell to stop every command at any moment, judge what it leaves, and give the same command again

    python tests/kills.py --n 300 --seed 1 [--only convert_npy,demo]

A command that is told to stop (SIGINT, SIGTERM, SIGHUP; alone or with its workers) says so in one line, ends with 128 and the number of the signal,
and leaves nothing unfinished. Whatever ended it, SIGKILL too, the same command then ends well and leaves what an undisturbed run leaves."""
import argparse, collections, multiprocessing, os, signal, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
from child import BIN, THREADS, PRELOAD, TINY, _demo, _inside, drain, hearing, lines
from films import write_film
from world_models.storage import MARK, is_temp

COMMANDS = dict(
    simulate='wm-simulate --world pendulum --n 40 --size 32 --frames 12 --workers 1 --out out', # one shard
    simulate_two='wm-simulate --world bouncing_balls --n 1500 --size 32 --frames 12 --workers 2 --out out',
    simulate_video='wm-simulate --world pendulum --video --n 40 --size 32 --frames 12 --workers 2 --out out',
    simulate_all='wm-simulate --world all --n 8 --size 16 --frames 6 --out out',
    convert_npy='wm-convert in/set out.npy', convert_mp4='wm-convert in/set out --to mp4', convert_images='wm-convert in/set out --to images',
    convert_episodes='wm-convert in/videos out --frames 10 --size 32', inspect='wm-inspect in/set --sheet out.png', split='wm-split in/set --out out.json',
    demo='wm-demo --quick --resume --out out')

def make_inputs(at):
    from world_models.datasets import write_episodes
    write_episodes(at/'set', n=40, n_frames=10, size=32, shard_size=15)
    (at/'videos').mkdir()
    for i in range(4): write_film(at/'videos'/f'{i}.mp4', np.random.default_rng(i).integers(0, 255, (30,48,64,3), np.uint8))

class Start:
    "A command in a group of processes of its own; the demo is forked with a tiny job, since its real one takes minutes"
    def __init__(self, name, at):
        argv = COMMANDS[name].split()
        self.name,self.forked = argv[0],name=='demo'
        if self.forked:
            os.environ.update(THREADS)
            ctx = multiprocessing.get_context('forkserver'); ctx.set_forkserver_preload(PRELOAD)
            pipes = [ctx.Pipe(duplex=False) for _ in range(2)]
            self.p = ctx.Process(target=_inside, args=([w for _,w in pipes], _demo, (argv[1:], str(at), TINY, None, None)))
            self.p.start(); self.pid = self.p.pid
            for _,w in pipes: w.close()
            self.pipes = [r for r,_ in pipes]
        else:
            self.p = subprocess.Popen([BIN/argv[0], *argv[1:]], cwd=at, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ|THREADS, start_new_session=True, preexec_fn=hearing)
            self.pid = self.p.pid

    def end(self):
        "Its exit code and what it said on standard error"
        if self.forked:
            with ThreadPoolExecutor(2) as pool: _,err = pool.map(drain, self.pipes)
            self.p.join(); return self.p.exitcode,err
        _,err = self.p.communicate(timeout=300)
        return self.p.returncode,err

    def tell(self, number, group):
        try: (os.killpg if group and not self.forked else os.kill)(self.pid, number)
        except ProcessLookupError: pass

CLOCK = 'seconds.json','metrics.json','manifest.json','index.html','contact_sheet.png' # hold times, or paths
def tree(at):
    "What lies there, but for inputs, marks and what a clock has measured"
    files = [p for p in sorted(at.rglob('*')) if p.relative_to(at).parts[0]!='in' and p.name!=MARK]
    return {p.relative_to(at).as_posix(): p.read_bytes() if p.is_file() and p.name not in CLOCK else None for p in files}
def unfinished(at): return [p.relative_to(at).as_posix() for p in at.rglob('*') if is_temp(p) or p.name.endswith('.lock')]

class Bench:
    "Inputs, and what each command leaves when nobody disturbs it"
    def __init__(self, folder, names=COMMANDS):
        self.folder = Path(folder); make_inputs(self.folder/'in')
        self.want,self.seconds = {},{}
        for n in names:
            at = self.place(n+'-whole'); began = time.perf_counter()
            code,err = Start(n, at).end()
            assert code==0, f'{n}: {err}'
            self.seconds[n],self.want[n] = time.perf_counter()-began,tree(at)

    def place(self, name):
        at = self.folder/name; at.mkdir()
        (at/'in').symlink_to(self.folder/'in')
        return at

    def case(self, name, seed):
        "Disturb one run: what fell short, or '', and the story"
        rng = np.random.default_rng([seed, *name.encode()])
        number,group = [signal.SIGINT,signal.SIGTERM,signal.SIGHUP,signal.SIGKILL][rng.integers(4)],bool(rng.integers(2))
        after = rng.uniform(.15 if name!='demo' else 0, self.seconds[name]) # before that Python itself has not begun
        at = self.place(f'{name}-{seed}')
        s = Start(name, at); time.sleep(after); s.tell(number, group)
        code,err = s.end(); story = f'{name} {seed}: {signal.Signals(number).name}{" to all" if group else ""} after {after:.2f} s'
        said = lines(err)
        if number==signal.SIGKILL: ok = code in (0,-9)
        else: ok = code==0 or code==128+number and said==[f'{s.name}: stopped'] or code==-number and not said and not tree(at) # Python had not begun
        if not ok: return 'ending',f'{story}: exit {code}: {err[-300:]}'
        if number!=signal.SIGKILL and (left := unfinished(at)): return 'left behind',f'{story}: {left}'
        code,err = Start(name, at).end()
        if code: return 'again',f'{story}: then exit {code}: {lines(err)[-2:]}'
        if left := unfinished(at): return 'left behind',f'{story}: after the second run {left}'
        if (now := tree(at))!=self.want[name]: return 'other files',f'{story}: {[k for k in sorted({*now,*self.want[name]}) if now.get(k,0)!=self.want[name].get(k,0)][:4]}'
        return '',story

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--n', type=int, default=100); p.add_argument('--seed', type=int, default=0); p.add_argument('--only', default=','.join(COMMANDS))
    o = p.parse_args(); names = o.only.split(','); count = collections.Counter()
    with tempfile.TemporaryDirectory() as tmp:
        bench = Bench(tmp, names)
        with ThreadPoolExecutor(2) as pool:
            for why,story in pool.map(lambda i: bench.case(names[i%len(names)], o.seed*10**6+i), range(o.n)):
                count[why or 'well'] += 1
                if why: print(f'{why}: {story}', flush=True)
    print(f'{o.n} cases:', ', '.join(f'{v} {k}' for k,v in count.most_common()))
    sys.exit(set(count)!={'well'})

if __name__=='__main__': main()
