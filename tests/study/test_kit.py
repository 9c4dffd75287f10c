"""Studies for a GPU: they plan what they should, and go through in two iterations a run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from drawn_data import draw_sets
from mmdet.registry import MODELS

from mmdet_lrm.study import cost
from mmdet_lrm.study.plan import make_plan
from mmdet_lrm.study.reading import read_study
from mmdet_lrm.study.records import read_records
from mmdet_lrm.study.runs import part

ROOT = Path(__file__).parents[2]
STUDIES = ROOT / 'configs/studies'
PAPER = [
    *('hard_ratio=0.25', 'hard_ratio=0.05', 'hard_ratio=0.02', 'hard_ratio=0.05 nms_iou_thr=0.7'),
    *('3 to 1', 'focal loss'),
]


@pytest.fixture(autouse=True)
def no_weights(monkeypatch):
    monkeypatch.delenv('DARKNET19', raising=False)


@pytest.mark.parametrize(
    ('name', 'size', 'images', 'runs', 'epochs', 'batch'),
    [
        ('paper-kitti', (1248, 384), (3712, 3769), 35, 160, 8),
        ('paper-kitti-416', (416, 416), (3712, 3769), 35, 160, 8),
        ('paper-voc', (416, 416), (16551, 4952), 35, 160, 64),
        ('yolov3-coco', (416, 416), (118287, 5000), 12, 273, 16),
        ('ssd300-voc', (300, 300), (16551, 4952), 20, 240, 16),
    ],
)
def test_a_study_of_the_kit_plans_whole_seeds_for_each_part(
    name, size, images, runs, epochs, batch
):
    plan = make_plan(read_study(STUDIES / f'{name}.py'))
    assert (len(plan), plan[0].study.images, plan[0].study.needs != {}) == (runs, images, True)
    seeds = len(plan[0].study.seeds)
    assert [{run.seed for run in part(plan, k + 1, seeds)} for k in range(seeds)] == [
        {seed} for seed in range(seeds)
    ]
    for run in plan[: runs // seeds]:
        assert cost.input_size(run.config) == size
        assert run.config.train_cfg.max_epochs == epochs
        assert run.config.train_dataloader.batch_size == batch
        for each in (run.config.val_dataloader.dataset,):
            (scale,) = [step.scale for step in each.pipeline if step.type == 'Resize']
            assert tuple(scale) == size


@pytest.mark.parametrize('name', ['paper-kitti', 'paper-kitti-416', 'paper-voc'])
def test_the_papers_detector_is_compared_from_imagenets_weights_with_darknets_loss(name):
    first, *mined = make_plan(read_study(STUDIES / f'{name}.py'))[:7]
    assert [run.variant.label for run in mined] == PAPER
    for run in (first, *mined):
        backbone, head = run.config.model.backbone, run.config.model.bbox_head
        assert backbone.init_cfg == dict(
            type='Pretrained', checkpoint='data/darknet19_448.pth', prefix='backbone.'
        )
        assert head.init_conf_prob is None
    assert 'loss_conf' not in first.config.model.bbox_head  # the head's own, darknet's


@pytest.mark.slow
@pytest.mark.parametrize('name', ['paper-kitti', 'paper-voc'])
def test_a_study_of_the_kit_goes_through_in_two_iterations_a_run(name, tmp_path, monkeypatch):
    for variable, folder in draw_sets(tmp_path / 'data').items():
        monkeypatch.setenv(variable, folder)
    backbone = MODELS.build(dict(type='Darknet19')).state_dict()
    torch.save({f'backbone.{key}': value for key, value in backbone.items()}, tmp_path / 'd.pth')
    monkeypatch.setenv('DARKNET19', str(tmp_path / 'd.pth'))
    small = ['--seeds', '1', '--last', '1', '--cfg-options', 'epochs=1', 'input_size=96,64']
    small += [f'train_dataloader.batch_size={4 if name == "paper-voc" else 2}']
    small += ['model.data_preprocessor.batch_augments=None']
    # A checkpoint has 400 MB.
    small += [f'default_hooks.checkpoint.{each}' for each in ('interval=9', 'save_last=False')]
    command = [sys.executable, str(ROOT / 'tools/benchmark.py'), str(STUDIES / f'{name}.py')]

    def run(*more):
        return subprocess.run(
            [*command, *more, *small], cwd=tmp_path, capture_output=True, text=True
        )

    checked = run('--check')
    assert checked.returncode == 1
    assert [line[:15] for line in re.findall('(?m)^missing: .*', checked.stdout)] == [
        'missing: images'
    ]
    for each in ('1/2', '2/2'):
        trained = run('--part', each)
        assert trained.returncode == 0, trained.stderr
    merged = run('--merge', *(f'results/{name}.part{k}of2.json' for k in (1, 2)))
    assert merged.returncode == 0, merged.stderr
    records = read_records(tmp_path / f'results/{name}.json')
    baseline = records[0].label
    assert [each.label for each in records] == [baseline, *PAPER]
    assert all(f'| {label} | 1 |' in merged.stdout for label in PAPER)
    assert len({each.initial_weights for each in records}) == 1
    assert all(each.losses['loss'][0] > 0 for each in records)
