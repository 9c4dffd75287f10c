"""The page on a new head: its blocks are run as they stand there."""

import re
import sys
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config

ROOT = Path(__file__).parents[2]


@pytest.fixture
def blocks(tmp_path, monkeypatch):
    """The head, put where its config and its tests import it from; the config; the tests."""
    page = (ROOT / 'docs/new-head.md').read_text()
    head, config, tests = re.findall(r'^```python\n(.*?)^```', page, re.MULTILINE | re.DOTALL)
    for name, text in (('my_head', head), ('config', config)):
        (tmp_path / f'{name}.py').write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / 'config.py', tests
    sys.modules.pop('my_head', None)
    MODELS.module_dict.pop('MinedRetinaHead', None)


def test_the_tests_of_the_page_pass(blocks):
    names = {}
    exec(blocks[1], names)
    tests = [name for name in names if name.startswith('test_')]
    assert len(tests) == 2
    for name in tests:
        names[name]()


def test_the_config_of_the_page_trains_a_step(blocks):
    config = Config.fromfile(blocks[0])
    config.model.backbone.init_cfg = None
    model = MODELS.build(config.model)
    batch = model.data_preprocessor(demo_mm_inputs(2, [[3, 64, 64]] * 2), training=True)
    model.parse_losses(model(**batch, mode='loss'))[0].backward()
    assert model.bbox_head.lrm.hard_ratio == 0.05
    assert all(torch.isfinite(each.grad).all() for each in model.bbox_head.parameters())
