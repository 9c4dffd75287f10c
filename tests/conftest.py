import contextlib
import os

if 'PYTEST_XDIST_WORKER' in os.environ:
    # Each of several processes has a core; the programs that tests start read it as well.
    os.environ.setdefault('OMP_NUM_THREADS', '1')

import random
import signal
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.utils import ManagerMixin

import mmdet_lrm  # noqa: F401  registers the package's modules

ROOT = Path(__file__).parents[1]
# What the shipped configs read.
ROOT_VARIABLES = ('KITTI_ROOT', 'VOC_ROOT', 'COCO_ROOT', 'BCCD_ROOT', 'DATA_ROOT')


@pytest.fixture(scope='session')
def shared_dir() -> Path:
    """Folder with real data and golden numbers; tests that need it skip where it is absent."""
    folder = Path(os.environ.get('MMDET_LRM_SHARED', ROOT.parent / 'shared'))
    if not (folder / 'golden').is_dir():
        pytest.skip(f'no golden numbers in {folder}; set MMDET_LRM_SHARED to their folder')
    return folder


@pytest.fixture(autouse=True)
def state_of_its_own() -> Iterator[None]:
    """Every test starts from one state of the process, in mmdet's scope, and leaves it as found."""
    with contextlib.ExitStack() as stack:
        for kept in (random_states, settings_of_libraries, environment, instances_of_mmengine):
            stack.enter_context(kept())
        stack.enter_context(DefaultScope.overwrite_default_scope('mmdet'))
        yield


@contextlib.contextmanager
def random_states() -> Iterator[None]:
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    yield
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])
    random.setstate(states[2])


@contextlib.contextmanager
def settings_of_libraries() -> Iterator[None]:
    """Threads, what torch loads from checkpoints, and what a process does when asked to end."""
    threads, of_opencv = torch.get_num_threads(), cv2.getNumThreads()
    loadable, ended = list(torch.serialization.get_safe_globals()), signal.getsignal(signal.SIGTERM)
    yield
    torch.set_num_threads(threads)
    cv2.setNumThreads(of_opencv)
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(loadable)
    signal.signal(signal.SIGTERM, ended)


@contextlib.contextmanager
def environment() -> Iterator[None]:
    variables = dict(os.environ)
    for name in ROOT_VARIABLES:
        os.environ.pop(name, None)
    yield
    os.environ.clear()
    os.environ.update(variables)


@contextlib.contextmanager
def instances_of_mmengine() -> Iterator[None]:
    """Visualisers, message hubs, loggers, scopes: a second one of a name would be the first."""
    kinds = list(subclasses(ManagerMixin))
    instances = [kind._instance_dict for kind in kinds]
    for kind in kinds:
        kind._instance_dict = OrderedDict()
    yield
    for kind, found in zip(kinds, instances, strict=True):
        kind._instance_dict = found


def subclasses(kind: type) -> Iterator[type]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if 'cuda' in item.keywords:
            item.add_marker(pytest.mark.skip(reason='needs a CUDA device'))
