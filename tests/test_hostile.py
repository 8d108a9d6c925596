"""Wrong calls, a few hundred damaged files and a few kills; thousands by argument: `python tests/hostile.py --n 2000`, `python tests/kills.py --n 300`"""
from concurrent.futures import ThreadPoolExecutor
import pytest
from calls import cases, judge
from hostile import FELL_SHORT, KINDS, Good
from kills import Bench

@pytest.fixture(scope='module')
def good(tmp_path_factory): return Good(tmp_path_factory.mktemp('good'))

@pytest.mark.parametrize('kind', KINDS)
def test_damaged_files(kind, good):
    "One line that says what to do, or the content as it was: no traceback, no hang, nothing written"
    with ThreadPoolExecutor(2) as pool: told = list(pool.map(lambda i: good.case(kind, i), range(30 if 'run' not in kind else 8)))
    assert not (wrong := [story for word,story in told if word in FELL_SHORT]), '\n'.join(wrong)
    if kind!='run': assert {word for word,_ in told} & {'refused'} # what is finished is seldom asked for the file that was damaged

@pytest.fixture(scope='module')
def bench(tmp_path_factory): return Bench(tmp_path_factory.mktemp('bench'), KILLED)

KILLED = ['simulate_two','simulate_video','convert_npy','convert_mp4','demo']

@pytest.mark.parametrize('name', KILLED)
def test_killed_and_given_again(name, bench):
    with ThreadPoolExecutor(2) as pool: told = list(pool.map(lambda i: bench.case(name, i), range(2)))
    assert not (wrong := [f'{why}: {story}' for why,story in told if why]), '\n'.join(wrong)

def test_wrong_calls(tmp_path):
    told = [f'{name}({k}={str(v)[:40]!r}): {why}' for name,k,v,call in cases(tmp_path) if (why := judge(call))]
    assert not told, '\n'.join(told)
