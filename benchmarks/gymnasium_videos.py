"Run `wm-demo --videos` on films of Gymnasium's classic control, drawn and written without our code, and keep model against copy-last in `results/gymnasium_videos.json`"
import json, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from fastcore.script import call_parse

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent/'tests'))
sys.path.insert(0, str(here.parent))
from films import ENVS
from world_models.storage import check_result, save_result

STEPS = 1,5,10

def row(metrics, about):
    "PSNR and its 95 % interval at some steps, for the model and what it must beat"
    def at(o): return {s: [round(o[s][k-1],2) if not isinstance(o[s][k-1],list) else [round(v,2) for v in o[s][k-1]] for k in STEPS] for s in o}
    psnr = at(metrics['psnr'])
    gain = {o: [[round(x,2) for x in v[k-1]] for k in STEPS] for o,v in metrics['gain95']['psnr'].items()}
    beats = [low>0 for _,low,_ in gain['copy_last']] # the lower bound of the paired difference
    return dict(psnr=psnr, ci95=at(metrics['ci95']['psnr']), gain95=gain, beats_copy_last=beats, n_clips=metrics['n_clips'], n_groups=metrics['n_groups'], clips=about['clips'],
        seconds=metrics['seconds'], peak_rss_mb=metrics['peak_rss_mb'], skipped=about['skipped'])

def judge(env, films, frames, seed, quick):
    "Make films of an environment, run the job on them; its numbers and circumstances"
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        subprocess.run([sys.executable, '-c', 'import sys; from pathlib import Path; from films import make_films; p,env,*n = sys.argv[1:]; make_films(Path(p), env, *map(int,n))',
            str(tmp/'films'), env, *map(str, (films,frames,seed))], check=True, cwd=here.parent/'tests')
        argv = ['--videos',str(tmp/'films'),'--out',str(tmp/'demo'),'--seed',str(seed),'--device','cpu'] + ['--quick']*quick
        subprocess.run([str(Path(sys.executable).parent/'wm-demo'), *argv], check=True, stdout=subprocess.DEVNULL)
        metrics,about = (json.loads((tmp/'demo'/o).read_text()) for o in ('metrics.json','manifest.json'))
    r = row(metrics, about)
    print(env, *(f'step {k}: {m:.1f} dB, copy-last {c:.1f}' for k,m,c in zip(STEPS, r['psnr']['model'], r['psnr']['copy_last'])), f"{r['n_groups']} videos held out", sep='  ', flush=True)
    return r,about

@call_parse
def main(
    envs:str=','.join(ENVS), # environments, commas between
    films:int=100, # films of each; a tenth of them is held out
    frames:int=200, # frames in a film
    seed:int=0, # seed of films and run
    jobs:int=1, # environments at a time; set OMP_NUM_THREADS so that they share the cores
    quick:bool=False, # see that it works; nothing is written
    out:str=str(here/'results'/'gymnasium_videos.json'), # where the numbers go
):
    "Does the model beat repeating the last frame on videos of another engine?"
    if not quick: check_result(out)
    with ThreadPoolExecutor(jobs) as pool: done = list(pool.map(partial(judge, films=films, frames=frames, seed=seed, quick=quick), names := envs.split(',')))
    rows,about = {env: r for env,(r,_) in zip(names, done)},done[0][1]
    for env,r in rows.items():
        if not quick and r['n_groups']<10: sys.exit(f"{env}: {r['n_groups']} videos held out; expected 10 or more; make more with --films")
    if quick: return
    facts = {k: about[k] for k in ('commit','versions','platform','cpu','cores','threads','date')}
    command = f'python benchmarks/gymnasium_videos.py --films {films} --frames {frames} --seed {seed} --jobs {jobs}'
    facts |= dict(command=command, films=films, frames=frames, seed=seed, jobs=jobs, steps=STEPS)
    save_result(out, facts, environments=rows)
    sys.exit(0 if all(all(r['beats_copy_last']) for r in rows.values()) else 'copy-last was not beaten everywhere')
