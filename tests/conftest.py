"The files that take longest begin first, so that the two workers end at about the same time"
import os
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE') # four processes run on two cores at once: threads that wait for one another in a loop would take the cores from those that work
if 'PYTEST_XDIST_WORKER' in os.environ: os.environ.setdefault('OMP_NUM_THREADS', '1')
LONG = ['test_notebooks','test_commands']

def pytest_collection_modifyitems(items):
    items.sort(key=lambda o: (o.path.stem not in LONG, o.path.stem not in LONG or LONG.index(o.path.stem))) # stable: the order within a file stays
