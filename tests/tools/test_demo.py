"""The demo: what its methods have in common, its table, and a small run of it."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from mmdet_lrm.launch import LaunchError
from mmdet_lrm.study.demo import COLUMNS, STARTING, VARIANTS, Demo, in_words, matched, minutes_of
from mmdet_lrm.study.plan import make_plan
from mmdet_lrm.study.reading import compare
from mmdet_lrm.study.records import Record

TOOL = Path(__file__).parents[2] / 'tools/demo.py'


def test_all_trainings_differ_by_the_mining_and_the_seed_alone(tmp_path):
    study = compare([Demo(num_train=1, num_val=1).baseline(tmp_path)], VARIANTS, seeds=2)
    plan = make_plan(study)  # which refuses any other difference
    assert [(run.variant.label, run.seed) for run in plan] == [
        *(('yolov2-tiny_kitti', 0), ('LRM', 0), ('yolov2-tiny_kitti', 1), ('LRM', 1))
    ]
    mining = plan[1].config.model.bbox_head.lrm
    assert (mining.type, mining.hard_ratio, mining.nms_iou_thr) == ('LRMLoss', 0.05, 0.7)
    assert plan[0].config.data_root == str(tmp_path / 'drawn')


def test_the_input_and_the_priors_of_drawn_images_shrink_together(tmp_path):
    config = Demo().config(tmp_path)
    assert config.train_dataloader.dataset.pipeline[2].scale == (416, 128)
    assert config.test_dataloader.dataset.pipeline[1].scale == (416, 128)
    # 16.9 x 11.9 at 640 px becomes 11.0 x 7.7 at 416 px.
    assert config.model.bbox_head.anchor_generator.base_sizes[0][0] == (11.0, 7.7)


def test_real_data_keeps_the_configs_size_and_schedule(tmp_path):
    config = Demo(data=tmp_path).config(tmp_path)
    assert config.train_dataloader.dataset.pipeline[2].scale == (640, 192)
    assert config.train_cfg.max_epochs == config.max_epochs


def test_the_result_is_told_in_words_for_each_class():
    baseline = {'Car': (30.0, 31, 32.1), 'Pedestrian': (30.0, 31, 32.1), 'Cyclist': (5, 6, 7)}
    with_lrm = {'Car': (32.0, 33, 34), 'Pedestrian': (26, 27, 28.0), 'Cyclist': (4, 8, 6)}
    records = [
        Record(
            label,
            first,
            'x',
            seed,
            {COLUMNS[title]: values[seed] for title, values in metrics.items()},
        )
        for label, first, metrics in (('a', None, baseline), ('LRM', 'a', with_lrm))
        for seed in range(3)
    ]
    lines = in_words(records).splitlines()
    assert 'over 3 pairs of trainings' in lines[0]
    assert [line[:22] for line in lines if 'here, beyond' in line or 'may be' in line] == [
        'Car:        +2.0 [+1.8',
        'Pedestrian: -4.0 [-4.2',
        'Cyclist:    +0.0 [-4.3',
    ]
    assert 'Car:' in lines[4] and lines[4].endswith('better here, beyond what seeds differ by')
    assert lines[5].endswith('worse here, beyond what seeds differ by')
    assert lines[6].endswith('0 lies inside: it may be chance')
    alone = in_words([records[0], records[3]])
    assert 'over 1 pair of trainings' in alone and 'no interval' in alone


def test_what_is_found_missed_and_false():
    boxes = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float32)
    ignored = np.array([[40, 0, 60, 20]], np.float32)
    found = InstanceData(
        # the first truth, the second by another class, in the ignored region, nowhere
        bboxes=torch.tensor([[0.0, 0, 10, 9], [20, 0, 30, 10], [45, 5, 50, 10], [0, 50, 9, 60]]),
        labels=torch.tensor([0, 1, 0, 0]),
    ).numpy()
    hit, false = matched(boxes, np.array([0, 0]), ignored, found)
    assert (hit.tolist(), false.tolist()) == ([True, False], [False, True, False, True])
    nothing = found[:0]
    hit, false = matched(boxes, np.array([0, 0]), ignored[:0], nothing)
    assert (hit.tolist(), false.tolist()) == ([False, False], [])


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


def test_trainings_at_a_time_share_the_clock():
    # Three rounds of two, each with its start and ten minutes of steps.
    assert minutes_of(6, 2, 300, 2.0) == 3 * (STARTING / 60 + 10)
    assert minutes_of(5, 2, 300, 2.0) == minutes_of(6, 2, 300, 2.0)


@pytest.mark.slow
def test_the_demo_runs_and_does_not_repeat_what_is_finished(tmp_path):
    command = [sys.executable, str(TOOL), '--out', str(tmp_path)]
    command += ['--num-train', '8', '--num-val', '2', '--epochs', '1', '--seeds', '1']
    first = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert (tmp_path / 'demo.png').stat().st_size > 10_000
    table = (tmp_path / 'table.md').read_text()
    assert table in first.stdout and '| LRM | 1 |' in table
    data, told, others = re.split(r'^(2 trainings, .*)\n', first.stdout, flags=re.MULTILINE)
    others = others.splitlines()
    assert 'Pedestrian' in data and 'about 1 min' in told
    assert others[-2:] == [
        f'Picture: {tmp_path / "demo.png"}',
        f'Report: {tmp_path / "report.html"}',
    ]
    assert ' CPU minutes, ' in others[-4]
    page = (tmp_path / 'report.html').read_text()
    for part in ('precision-and-recall', 'errors', 'worst-images', 'mining'):
        assert f'<section id="{part}"' in page
    second = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert 'epoch 1 of 1' not in second.stdout
    assert table in second.stdout
