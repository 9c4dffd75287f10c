"""The demo: what its methods have in common, its table, and a small run of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmdet_lrm.launch import LaunchError
from mmdet_lrm.study.demo import METHODS, Demo, markdown_table
from mmdet_lrm.study.trainings import Logs, Spent, Training

TOOL = Path(__file__).parents[2] / 'tools/demo.py'


def test_both_methods_differ_by_the_switch_alone(tmp_path):
    configs = (Demo().config(name, tmp_path).to_dict() for name in METHODS.values())
    baseline, mined = configs
    assert baseline['model']['bbox_head'].pop('lrm', None) is None
    assert mined['model']['bbox_head'].pop('lrm')['type'] == 'LRMLoss'
    assert baseline == mined
    assert baseline['data_root'] == str(tmp_path)
    assert baseline['default_hooks']['checkpoint']['save_best'] is None


def test_the_input_and_the_priors_of_drawn_images_shrink_together(tmp_path):
    config = Demo().config('yolov2-tiny_kitti', tmp_path)
    assert config.train_dataloader.dataset.pipeline[2].scale == (416, 128)
    assert config.test_dataloader.dataset.pipeline[1].scale == (416, 128)
    # 16.9 x 11.9 at 640 px becomes 11.0 x 7.7 at 416 px.
    assert config.model.bbox_head.anchor_generator.base_sizes[0][0] == (11.0, 7.7)


def test_real_data_keeps_the_configs_size_and_schedule(tmp_path):
    config = Demo(data=tmp_path).config('yolov2-tiny_kitti', tmp_path)
    assert config.train_dataloader.dataset.pipeline[2].scale == (640, 192)
    assert config.train_cfg.max_epochs == config.max_epochs


def test_the_table_has_a_row_a_method():
    keys = ('Car_moderate', 'Pedestrian_moderate', 'Cyclist_moderate', 'moderate')
    metrics = {f'kitti/{key}_{ap}': [1.0, 12.345] for key in keys for ap in ('AP40', 'AP11')}
    training = Training(Path(), Path(), Logs(metrics), Spent(2.04, 9), 'process', '', {}, '')
    table = markdown_table({'LRM': training})
    assert table.splitlines()[2] == '| LRM |' + ' 12.3 / 12.3 |' * 4 + ' 2.0 |'


@pytest.mark.parametrize(
    ('demo', 'message'),
    [(Demo(data=Path('here')), 'here has no ImageSets/train.txt'), (Demo(num_val=0), 'num_val 0')],
)
def test_data_that_cannot_be_had_are_named(demo, message, tmp_path):
    with pytest.raises(LaunchError, match=message):
        demo.prepare(tmp_path / 'drawn')


def test_a_folder_that_is_no_kitti_tree_is_named_in_one_line(tmp_path):
    command = [sys.executable, str(TOOL), '--data', str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 1
    assert f'error: {tmp_path} has no ImageSets/train.txt' in result.stderr.splitlines()[-1]


@pytest.mark.slow
def test_the_demo_runs_and_does_not_repeat_what_is_finished(tmp_path):
    command = [sys.executable, str(TOOL), '--out', str(tmp_path)]
    command += ['--num-train', '8', '--num-val', '2', '--epochs', '1']
    first = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert (tmp_path / 'demo.png').stat().st_size > 10_000
    table = (tmp_path / 'table.md').read_text()
    assert table in first.stdout
    second = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert 'epoch 1 of 1' not in second.stdout
    assert table in second.stdout
