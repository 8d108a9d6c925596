"One thread for each process of the two workers unless OMP_NUM_THREADS says more, and the files that take longest begin first, so that the workers end at about the same time"
import os
if 'PYTEST_XDIST_WORKER' in os.environ: os.environ.setdefault('OMP_NUM_THREADS', '1') # each worker begins two processes at a time: with a thread per core in each, they wait for one another
LONG = ['test_notebooks','test_commands']

def pytest_collection_modifyitems(items):
    items.sort(key=lambda o: (o.path.stem not in LONG, o.path.stem not in LONG or LONG.index(o.path.stem))) # stable: the order within a file stays
