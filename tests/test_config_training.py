"""Configs at work on images drawn in the layout they expect.

A batch of every config is loaded and found fit for its head. Trained and evaluated, for two
iterations by MMEngine's Runner, are those that bring something new: each detector without and with
mining, each data set and metric, each other way to start, to mine and to weigh. Of the rest
test_configs.py proves that they build, and that an overlay adds the mining and nothing else.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_data import draw_sets
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

CONFIGS = Path(__file__).parents[1] / 'configs'
NAMES = sorted(path.stem for path in CONFIGS.glob('*.py'))
TRAINED = (
    'ssd300_coco',
    'ssd300_lrm_voc',
    'ssdlite_coco',
    'ssdlite_lrm_kitti',
    'yolov2-tiny-transfer_kitti',
    'yolov2-tiny-transfer_lrm-late_kitti',
    'yolov2-tiny_kitti',
    'yolov2-tiny_lrm-late_bccd',
    'yolov2-tiny_lrm_coco',
    'yolov2_lrm_bccd',
    'yolov2_voc',
    'yolov3-mobilenetv2_custom-coco',
    'yolov3-mobilenetv2_lrm-objectness-focal_bccd',
    'yolov3-mobilenetv2_lrm-objectness_bccd',
    'yolov3-mobilenetv2_lrm_custom-voc',
    'yolov3-tiny-transfer_lrm_kitti',
    'yolov3_coco',
    'yolov3_lrm_voc',
)
METRICS = {
    'kitti': ['kitti'],
    'voc': ['voc07', 'voc12'],
    'coco': ['coco'],
    'bccd': ['voc'],
    'custom-voc': ['voc'],
    'custom-coco': ['coco'],
}


@pytest.fixture(scope='module')
def roots(tmp_path_factory):
    """Environment variables that name the drawn sets."""
    root = tmp_path_factory.mktemp('data')
    torch.save({'backbone.stages.0.0.conv.weight': torch.zeros(16, 3, 3, 3)}, root / 'voc.pth')
    return draw_sets(root) | {'PRETRAINED': str(root / 'voc.pth')}


def shrink(node):
    """Resize to 128 x 96 px in every pipeline, where the network allows it."""
    if isinstance(node, dict):
        if node.get('type') == 'Resize':
            node['scale'] = (128, 96)
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            shrink(child)


@pytest.fixture
def config(name, roots, monkeypatch):
    """Small loaders of the drawn images, and no weights to download."""
    for variable, root in roots.items():
        monkeypatch.setenv(variable, root)
    config = Config.fromfile(CONFIGS / f'{name}.py')
    loaders = [config[f'{split}_dataloader'] for split in ('train', 'val')]
    if not name.startswith('ssd'):  # whose last maps need the full size
        shrink(loaders)
    for loader in loaders:
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
    if name.startswith(('yolov3', 'ssd300')):
        config.model.backbone.init_cfg = None
    return config


def test_each_detector_is_trained_without_and_with_mining_and_so_is_each_data_set():
    grid = {name.split('_lrm_')[0] for name in NAMES if '_lrm_' in name and 'transfer' not in name}
    assert len(grid) == 6 and set(TRAINED) <= set(NAMES)
    assert grid <= {name.split('_')[0] for name in TRAINED if '_lrm' not in name}
    assert grid <= {name.split('_')[0] for name in TRAINED if '_lrm_' in name}
    assert {name.rsplit('_', 1)[1] for name in TRAINED} == set(METRICS)


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_a_batch_fits_the_head_and_the_metrics(name, config):
    init_default_scope('mmdet')
    MessageHub.get_current_instance().update_info('iter', 0)  # of what resizes batches
    classes = config.model.bbox_head.num_classes
    preprocessor = MODELS.build(config.model.data_preprocessor)
    for split in ('train', 'val'):
        loader = Runner.build_dataloader(config[f'{split}_dataloader'])
        assert len(loader.dataset.metainfo['classes']) == classes
        batch = preprocessor(next(iter(loader)), training=split == 'train')
        assert batch['inputs'].dim() == 4 and batch['inputs'].shape[:2] == (2, 3)
        height, width = batch['inputs'].shape[2:]
        for sample in batch['data_samples']:
            truths = sample.gt_instances
            assert ((truths.labels >= 0) & (truths.labels < classes)).all()
            if split == 'train':
                boxes = truths.bboxes
                assert (boxes >= 0).all() and (boxes[:, 2:] > boxes[:, :2]).all()
                assert (boxes <= boxes.new_tensor([width, height, width, height])).all()
    metrics = Evaluator(config.val_evaluator).metrics
    assert {each.prefix for each in metrics} == set(METRICS[name.rsplit('_', 1)[1]])


@pytest.mark.slow
@pytest.mark.parametrize('name', TRAINED)
def test_two_iterations_and_an_evaluation(name, config, tmp_path):
    config.merge_from_dict(
        {
            'work_dir': str(tmp_path),
            'visualizer.vis_backends': [],
            # Without its warm-up the full rate would blow up a network without pre-trained weights.
            'param_scheduler': [],
            'optim_wrapper.optimizer.lr': 1e-6,
            # An evaluation without any detection has no metrics.
            'model.test_cfg.score_thr': 0.0,
            'model.test_cfg.conf_thr': -1,
            'default_hooks.checkpoint': dict(type='CheckpointHook', by_epoch=False, interval=2),
            'log_processor.by_epoch': False,
        }
    )
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=2)
    runner = Runner.from_cfg(config)
    before = [each.detach().clone() for each in runner.model.bbox_head.parameters()]
    runner.train()
    assert runner.iter == 2
    # Weights are made when the training begins, so all that can be said is that it moved them.
    assert any(
        not np.array_equal(old, new.detach())
        for old, new in zip(before, runner.model.bbox_head.parameters(), strict=True)
    )
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 2 and np.isfinite(losses).all()
    scores = [key for key in runner.message_hub.log_scalars if key.startswith('val/')]
    for prefix in METRICS[name.rsplit('_', 1)[1]]:
        assert any(key.startswith(f'val/{prefix}/') for key in scores), (prefix, scores)
