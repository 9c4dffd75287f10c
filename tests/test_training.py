"""Trainings of a few steps by MMEngine's Runner, from the shipped configs."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

CONFIGS = Path(__file__).parents[1] / 'configs'
NUM_IMAGES = 6
LABEL = '{} 0.00 0 0.00 {:.2f} {:.2f} {:.2f} {:.2f} 1.5 1.6 3.9 1.0 1.5 20.0 0.00\n'


@pytest.fixture
def kitti_root(tmp_path, monkeypatch):
    """Six noisy images with a bright car and a dark pedestrian each, in KITTI's layout."""
    root = tmp_path / 'kitti'
    for folder in ('training/image_2', 'training/label_2', 'ImageSets'):
        (root / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    frames = [f'{index:06d}' for index in range(NUM_IMAGES)]
    for frame in frames:
        image = rng.integers(90, 160, (120, 400, 3), dtype=np.uint8)
        x, y = rng.integers(10, 200), rng.integers(10, 60)
        car, person = (x, y, x + 80, y + 50), (x + 100, y, x + 120, y + 55)
        cv2.rectangle(image, car[:2], car[2:], (250, 250, 250), -1)
        cv2.rectangle(image, person[:2], person[2:], (5, 5, 5), -1)
        cv2.imwrite(str(root / f'training/image_2/{frame}.png'), image)
        labels = LABEL.format('Car', *car) + LABEL.format('Pedestrian', *person)
        (root / f'training/label_2/{frame}.txt').write_text(labels)
    for split in ('train', 'val'):
        (root / f'ImageSets/{split}.txt').write_text('\n'.join(frames) + '\n')
    monkeypatch.setenv('KITTI_ROOT', str(root))
    return root


def runner_of(name, work_dir, **options):
    config = Config.fromfile(CONFIGS / f'{name}.py')
    config.work_dir = str(work_dir)
    config.merge_from_dict(
        {
            'train_dataloader.batch_size': 3,
            'train_cfg.val_interval': 1,
            'visualizer.vis_backends': [],
            **{f'{split}_dataloader.num_workers': 0 for split in ('train', 'val')},
            **{f'{split}_dataloader.persistent_workers': False for split in ('train', 'val')},
            **options,
        }
    )
    return Runner.from_cfg(config)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['yolov2-tiny_kitti', 'yolov2-tiny_lrm_kitti'])
def test_the_tiny_detector_trains_resumes_and_is_evaluated(name, kitti_root, tmp_path):
    runner = runner_of(name, tmp_path / 'work', **{'train_cfg.max_epochs': 1})
    runner.train()
    assert runner.model.bbox_head.images_seen.item() == NUM_IMAGES
    assert 'val/kitti/moderate_AP40' in runner.message_hub.log_scalars

    resumed = runner_of(name, tmp_path / 'work', resume=True, **{'train_cfg.max_epochs': 2})
    resumed.train()
    assert resumed.iter == 4
    assert resumed.model.bbox_head.images_seen.item() == 2 * NUM_IMAGES


@pytest.mark.slow
def test_baseline_and_lrm_start_from_the_same_weights_and_images(kitti_root, tmp_path):
    states, batches = [], []
    for name in ('yolov2-tiny_kitti', 'yolov2-tiny_lrm_kitti'):
        runner = runner_of(name, tmp_path / name)
        runner.model.init_weights()
        states.append(runner.model.state_dict())
        loader = runner.build_dataloader(runner.cfg.train_dataloader, seed=runner.seed)
        batches.append(next(iter(loader))['inputs'])
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key]), key
    assert all(torch.equal(*pair) for pair in zip(*batches, strict=True))


@pytest.mark.slow
def test_darknet19_with_passthrough_trains_on_a_small_input_with_a_schedule(kitti_root, tmp_path):
    runner = runner_of(
        'yolov2_lrm_kitti',
        tmp_path / 'work',
        **{
            'train_cfg.max_epochs': 1,
            'custom_hooks': [dict(type='LRMScheduleHook', begin=0, end=1)],
            'train_dataloader.dataset.pipeline.2.scale': (128, 64),
            'val_dataloader.dataset.pipeline.1.scale': (128, 64),
        },
    )
    before = runner.model.neck.fuse.conv.weight.detach().clone()
    runner.train()
    assert not torch.equal(runner.model.neck.fuse.conv.weight, before)
    # The last of two iterations begins in the middle of the only epoch.
    assert runner.model.bbox_head.lrm.strength == 0.5


@pytest.mark.slow
def test_a_diagnosis_is_logged_and_changes_no_weight(kitti_root, tmp_path):
    weights = []
    for name, hooks in (('with', [dict(type='MiningDiagnosisHook', interval=1)]), ('without', [])):
        options = {
            'train_cfg.max_epochs': 1,
            'custom_hooks': hooks,
            'visualizer.vis_backends': [dict(type='LocalVisBackend')],
        }
        runner = runner_of('yolov2-tiny_lrm_kitti', tmp_path / name, **options)
        runner.train()
        weights.append(runner.model.state_dict())
        assert 'loss_by_feat' not in vars(runner.model.bbox_head)
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())
    (log,) = (tmp_path / 'with').glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    rows = [row for row in rows if 'diagnosis/0.25/gradient/easy' in row]
    assert [row['step'] for row in rows] == [1, 2]
    parts = [rows[0][f'diagnosis/0.25/gradient/{name}'] for name in ('positives', 'hard', 'easy')]
    assert sum(parts) == pytest.approx(1) and min(parts) > 0


@pytest.mark.slow
def test_the_mining_is_logged_and_drawn_and_changes_no_weight(kitti_root, tmp_path):
    weights = []
    hook = dict(type='MiningVisualizationHook', interval=1, picture_interval=2, images=['000003'])
    for name, hooks in (('with', [hook]), ('without', [])):
        options = {
            'train_cfg.max_epochs': 1,
            'custom_hooks': hooks,
            'default_hooks.logger.interval': 1,
            'visualizer.vis_backends': [dict(type='LocalVisBackend')],
        }
        runner = runner_of('yolov2-tiny_lrm_kitti', tmp_path / name, **options)
        runner.train()
        weights.append(runner.model.state_dict())
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())
    pictures = (tmp_path / 'with').glob('*/vis_data/vis_image/*')
    assert sorted(path.name for path in pictures) == ['mining_000003_0.png', 'mining_000003_2.png']
    (log,) = (tmp_path / 'with').glob('*/vis_data/scalars.json')
    # MMEngine gives both runs the visualiser of the first.
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    rows = [row for row in rows if 'mining/kept' in row]
    assert [(row['iter'], row['mining/kept']) for row in rows] == [(1, 0.25), (2, 0.25)]
    assert all(0 < row['mining/gradient_easy'] < 1 for row in rows)
