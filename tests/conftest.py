"The files that take longest begin first, so that two workers end at about the same time"
LONG = ['test_notebooks','test_commands']

def pytest_collection_modifyitems(items):
    items.sort(key=lambda o: (o.path.stem not in LONG, o.path.stem not in LONG or LONG.index(o.path.stem))) # stable: the order within a file stays
