import re
from pathlib import Path

import pytest
from mmdet.registry import MODELS
from mmengine.config import Config

CONFIGS = Path(__file__).parents[1] / 'configs'
NAMES = sorted(path.name for path in CONFIGS.glob('*.py'))


def difference(first, second, key=''):
    """Keys at which two nested dicts differ."""
    if not (isinstance(first, dict) and isinstance(second, dict)):
        return [] if first == second else [key]
    return [
        changed
        for name in sorted(first.keys() | second.keys())
        for changed in difference(
            first.get(name, '<absent>'), second.get(name, '<absent>'), f'{key}.{name}'.lstrip('.')
        )
    ]


def test_there_are_configs():
    assert 'yolov2_lrm_kitti.py' in NAMES


@pytest.mark.parametrize('name', [name for name in NAMES if '_lrm_' in name])
def test_an_overlay_is_the_switch_and_nothing_else(name):
    overlay = Config.fromfile(CONFIGS / name).to_dict()
    baseline = Config.fromfile(CONFIGS / name.replace('_lrm', '')).to_dict()
    assert difference(overlay, baseline) == ['model.bbox_head.lrm']


@pytest.mark.parametrize('name', NAMES)
def test_a_config_builds_its_model(name):
    config = Config.fromfile(CONFIGS / name)
    head = MODELS.build(config.model).bbox_head
    assert (head.lrm is not None) == ('_lrm_' in name)


def test_the_data_root_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv('KITTI_ROOT', '/elsewhere')
    config = Config.fromfile(CONFIGS / 'yolov2-tiny_kitti.py')
    roots = {config[f'{split}_dataloader'].dataset.data_root for split in ('train', 'val', 'test')}
    assert roots == {'/elsewhere'}
    assert config.val_evaluator.label_dir == '/elsewhere/training/label_2'


def test_the_tiny_detector_resizes_everywhere_to_its_own_size():
    config = Config.fromfile(CONFIGS / 'yolov2-tiny_kitti.py')
    for split in ('train', 'val', 'test'):
        pipeline = config[f'{split}_dataloader'].dataset.pipeline
        assert [step.scale for step in pipeline if step.type == 'Resize'] == [(640, 192)]


def test_the_config_for_ones_own_data_in_the_readme_builds(tmp_path):
    readme = (CONFIGS.parent / 'README.md').read_text()
    (block,) = re.findall(r"```python\n(_base_ = './.*?)```", readme, flags=re.DOTALL)
    file = tmp_path / 'mine.py'
    file.write_text(block.replace("'./", f"'{CONFIGS}/"))
    config = Config.fromfile(file)
    assert MODELS.build(config.model).bbox_head.num_classes == 2
    for split in ('train', 'val', 'test'):
        dataset = config[f'{split}_dataloader'].dataset
        assert dataset.type == 'CocoDataset'
        assert [step.scale for step in dataset.pipeline if step.type == 'Resize'] == [(416, 416)]
