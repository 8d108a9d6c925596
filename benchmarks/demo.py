"Run the main job as a user does, and keep its numbers with their circumstances in `results/demo.json` and its film for the front page"
import json, subprocess, sys, tempfile
from pathlib import Path
from fastcore.script import call_parse
from PIL import Image
from world_models.datasets import read_clip
from world_models.storage import check_result, save_result

here = Path(__file__).resolve().parent

def film(mp4, gif, fps):
    "Write a film as a GIF of a quarter of its size, for pages that play no mp4"
    frames = read_clip(mp4)[:,2::4,2::4]
    ims = [Image.fromarray(f).resize((2*f.shape[1],2*f.shape[0]), Image.NEAREST).quantize(32) for f in frames]
    ims[0].save(gif, save_all=True, append_images=ims[1:], duration=round(1000/fps), loop=0, optimize=True)

@call_parse
def main(
    seed:int=0, # seed of the run
    name:str='demo', # name of the result
    pictures:bool=False, # also renew the film and the figures of the front page
):
    "Run `wm-demo` and keep what it measured"
    result = here/'results'/f'{name}.json'
    check_result(result)
    with tempfile.TemporaryDirectory() as tmp:
        out = Path(tmp)/'demo'
        subprocess.run([str(Path(sys.executable).parent/'wm-demo'), '--out', str(out), '--seed', str(seed), '--device', 'cpu'], check=True)
        metrics, about = (json.loads((out/f).read_text()) for f in ('metrics.json','manifest.json'))
        about['command'] = f'wm-demo --seed {seed} --device cpu'
        save_result(result, about, metrics=metrics)
        if not pictures: return
        images = here.parent/'nbs'/'images'
        film(out/'rollout.mp4', images/'first_dream.gif', 10)
        for f in ('rollout.png','horizon.png'): (images/f).write_bytes((out/f).read_bytes())
