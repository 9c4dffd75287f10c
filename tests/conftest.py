import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

import mmdet_lrm  # noqa: F401  registers the package's modules

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope='session')
def shared_dir() -> Path:
    """Folder with real data and golden numbers; tests that need it skip where it is absent."""
    folder = Path(os.environ.get('MMDET_LRM_SHARED', ROOT.parent / 'shared'))
    if not (folder / 'golden').is_dir():
        pytest.skip(f'no golden numbers in {folder}; set MMDET_LRM_SHARED to their folder')
    return folder


@pytest.fixture(autouse=True)
def same_random_state():
    """Every test starts from one random state and in mmdet's scope, and leaves both as found."""
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()
    torch.manual_seed(0)
    np.random.seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield
    torch.set_rng_state(torch_state)
    np.random.set_state(numpy_state)


def pytest_collection_modifyitems(items):
    if torch.cuda.is_available():
        return
    for item in items:
        if 'cuda' in item.keywords:
            item.add_marker(pytest.mark.skip(reason='needs a CUDA device'))
