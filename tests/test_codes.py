"Codes that several processes train together"
import subprocess, sys
from pathlib import Path

PROGRAM = '''
import sys, torch
from torch import distributed as dist
from world_models.vq import VectorQuantizer
place,rank = sys.argv[1],int(sys.argv[2])
dist.init_process_group('gloo', init_method=f'file://{place}/meeting', rank=rank, world_size=2)
torch.manual_seed(rank) # each draws other vectors to begin with, and to revive by
q = VectorQuantizer((4,), 8, 'vector', revive=.5)
for i in range(6):
    z = torch.randn(2, 16, 4, generator=torch.Generator().manual_seed(10*i+rank))
    if i==3 and rank==1: z[0,0,0] = torch.nan
    q(z)
torch.save({k:v.clone() for k,v in q.state_dict().items()}, f'{place}/{rank}.pt')
dist.destroy_process_group()
'''

def test_two_processes_keep_one_codebook(tmp_path):
    import torch
    root = Path(__file__).resolve().parent.parent
    jobs = [subprocess.Popen([sys.executable,'-c',PROGRAM,tmp_path,str(k)], cwd=root, stderr=subprocess.PIPE, text=True) for k in range(2)]
    for j in jobs: assert j.wait(120)==0, j.stderr.read()
    a,b = (torch.load(tmp_path/f'{k}.pt', weights_only=True) for k in range(2))
    for k in a: assert a[k].isfinite().all() and torch.equal(a[k], b[k]), k
