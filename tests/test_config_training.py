"""Configs at work on images drawn in the layout they expect.

A batch of every config is loaded and found fit for its head. Trained and evaluated, for two
iterations by MMEngine's Runner, are those that bring something new: each detector without and with
mining, each data set and metric, each other way to start, to mine and to weigh. Of the rest
test_configs.py proves that they build, and that an overlay adds the mining and nothing else.
"""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset
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
NUM_IMAGES = 4
WIDTH, HEIGHT = 160, 120
OBJECT = (
    '<object><name>{}</name><difficult>{}</difficult><bndbox><xmin>{}</xmin><ymin>{}</ymin>'
    '<xmax>{}</xmax><ymax>{}</ymax></bndbox></object>'
)
METRICS = {
    'kitti': ['kitti'],
    'voc': ['voc07', 'voc12'],
    'coco': ['coco'],
    'bccd': ['voc'],
    'custom-voc': ['voc'],
    'custom-coco': ['coco'],
}
KITTI = ('Car', 'Pedestrian')
VOC = ('aeroplane', 'person')
CELLS = ('RBC', 'WBC')


def draw(path, rng):
    """A noisy image with a bright and a dark rectangle, whose corners are returned."""
    image = rng.integers(90, 160, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    x, y = (int(each) for each in rng.integers(5, 40, 2))
    boxes = [(x, y, x + 50, y + 40), (x + 60, y + 10, x + 85, y + 70)]
    for (x1, y1, x2, y2), colour in zip(boxes, (250, 5), strict=True):
        cv2.rectangle(image, (x1, y1), (x2, y2), (colour,) * 3, -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)
    return boxes


def draw_kitti(root, rng):
    line = '{} 0.00 0 0.00 {:.2f} {:.2f} {:.2f} {:.2f} 1.5 1.6 3.9 1.0 1.5 20.0 0.00\n'
    frames = [f'{index:06d}' for index in range(NUM_IMAGES)]
    (root / 'training/label_2').mkdir(parents=True)
    (root / 'ImageSets').mkdir()
    for frame in frames:
        boxes = draw(root / f'training/image_2/{frame}.png', rng)
        text = ''.join(line.format(*each) for each in named(KITTI, boxes))
        (root / f'training/label_2/{frame}.txt').write_text(text)
    for split in ('train', 'val'):
        (root / f'ImageSets/{split}.txt').write_text('\n'.join(frames) + '\n')


def draw_voc(root, rng, classes, lists):
    """``root/JPEGImages`` and so on; the last object of the first image is difficult."""
    names = [f'{index:06d}' for index in range(NUM_IMAGES)]
    (root / 'Annotations').mkdir(parents=True)
    (root / 'ImageSets/Main').mkdir(parents=True)
    for index, name in enumerate(names):
        boxes = draw(root / f'JPEGImages/{name}.jpg', rng)
        objects = ''.join(
            OBJECT.format(kind, int(index == 0 and kind == classes[-1]), *box)
            for kind, *box in named(classes, boxes)
        )
        size = f'<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>'
        text = f'<annotation>{size}{objects}</annotation>'
        (root / f'Annotations/{name}.xml').write_text(text)
    for split in lists:
        (root / f'ImageSets/Main/{split}.txt').write_text('\n'.join(names) + '\n')


def draw_coco(root, rng, classes, splits):
    """``root/annotations`` and a folder of images each; the first annotation is a crowd."""
    (root / 'annotations').mkdir(parents=True)
    categories = [dict(id=index + 1, name=name) for index, name in enumerate(classes)]
    for file, folder in splits.items():
        images, annotations = [], []
        for index in range(NUM_IMAGES):
            boxes = draw(root / folder / f'{index}.jpg', rng)
            images.append(dict(id=index, file_name=f'{index}.jpg', width=WIDTH, height=HEIGHT))
            for category, (x1, y1, x2, y2) in enumerate(boxes):
                box = [x1, y1, x2 - x1, y2 - y1]
                annotations.append(
                    dict(
                        id=len(annotations) + 1,
                        image_id=index,
                        category_id=category + 1,
                        bbox=box,
                        area=box[2] * box[3],
                        iscrowd=int(not annotations),
                    )
                )
        labels = dict(images=images, annotations=annotations, categories=categories)
        (root / 'annotations' / file).write_text(json.dumps(labels))


def named(names, boxes):
    return [(name, *box) for name, box in zip(names, boxes, strict=True)]


@pytest.fixture(scope='module')
def roots(tmp_path_factory):
    """Environment variables that name the drawn sets."""
    root, rng = tmp_path_factory.mktemp('data'), np.random.default_rng(0)
    draw_kitti(root / 'kitti', rng)
    for year, lists in (('2007', ('trainval', 'test')), ('2012', ('trainval',))):
        draw_voc(root / f'voc/VOC{year}', rng, VOC, lists)
    draw_voc(root / 'bccd/VOC2007', rng, CELLS, ('train', 'val', 'test'))
    splits = {'instances_train2017.json': 'train2017', 'instances_val2017.json': 'val2017'}
    draw_coco(root / 'coco', rng, CocoDataset.METAINFO['classes'], splits)
    draw_voc(root / 'mine', rng, CELLS, ('train', 'val'))
    draw_coco(root / 'mine', rng, (*CELLS, 'Platelets'), {'train.json': 'train', 'val.json': 'val'})
    names = dict(KITTI='kitti', VOC='voc', COCO='coco', BCCD='bccd', DATA='mine')
    torch.save({'backbone.stages.0.0.conv.weight': torch.zeros(16, 3, 3, 3)}, root / 'voc.pth')
    variables = {f'{variable}_ROOT': str(root / folder) for variable, folder in names.items()}
    return variables | {'PRETRAINED': str(root / 'voc.pth')}


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
