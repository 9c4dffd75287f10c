"""Detectors that train in seconds on drawn pictures of 64 px: the real heads, data and pipeline."""

from functools import partial
from typing import ClassVar

import numpy as np
import torch
from mmdet.datasets import BaseDetDataset
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.model import BaseModule
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from toy_parts import NUM_IMAGES, Parts, ToyMetric

SIDE, WIDTH = 64, 8
LRM = dict(type='LRMLoss', hard_ratio=0.25)
ANCHORS = [(16, 16), (40, 24)]
BCE = dict(type='CrossEntropyLoss', use_sigmoid=True, reduction='sum')
TEST = dict(score_thr=0, nms_pre=50, max_per_img=10, nms=dict(type='nms', iou_threshold=0.5))
HEADS = dict(
    YOLOV2=dict(
        type='YOLOV2Head',
        in_channels=WIDTH,
        anchor_generator=dict(type='YOLOAnchorGenerator', strides=[16], base_sizes=[ANCHORS]),
    ),
    YOLOV3=dict(
        type='LRMYOLOV3Head',
        in_channels=[WIDTH] * 2,
        out_channels=[WIDTH] * 2,
        featmap_strides=[16, 8],
        anchor_generator=dict(
            type='YOLOAnchorGenerator', strides=[16, 8], base_sizes=[ANCHORS, ANCHORS]
        ),
        **{f'loss_{term}': BCE for term in ('cls', 'conf', 'xy')},
        loss_wh=dict(type='MSELoss', reduction='sum'),
        train_cfg=dict(
            assigner=dict(type='GridAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0)
        ),
    ),
    SSD=dict(
        type='LRMSSDHead',
        in_channels=(WIDTH, WIDTH),
        anchor_generator=dict(
            type='SSDAnchorGenerator',
            strides=[8, 16],
            ratios=[[2], [2]],
            min_sizes=[16, 32],
            max_sizes=[32, 48],
            scale_major=False,
        ),
        train_cfg=dict(
            assigner=dict(
                type='MaxIoUAssigner',
                **dict(pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0, gt_max_assign_all=False),
            ),
            sampler=dict(type='PseudoSampler'),
            **dict(smoothl1_beta=1.0, allowed_border=-1, pos_weight=-1, neg_pos_ratio=3),
        ),
    ),
)


@MODELS.register_module()
class SmallBackbone(BaseModule):
    """One map of each stride, in the order in which a head wants them."""

    def __init__(self, strides: list[int]) -> None:
        super().__init__()
        self.strides = strides
        self.stem = nn.Sequential(nn.Conv2d(3, WIDTH, 8, 8), nn.BatchNorm2d(WIDTH), nn.ReLU())
        self.down = nn.Conv2d(WIDTH, WIDTH, 2, 2)

    def forward(self, images: Tensor) -> list[Tensor]:
        fine = self.stem(images)
        return [{8: fine, 16: self.down(fine)}[stride] for stride in self.strides]


class Drawn(BaseDetDataset):
    """Noise with a bright and a dark rectangle each."""

    METAINFO: ClassVar = dict(classes=('bright', 'dark'))

    def load_data_list(self) -> list[dict]:
        rng = np.random.default_rng(0)
        return [draw(rng, index) for index in range(NUM_IMAGES)]


def draw(rng: np.random.Generator, index: int) -> dict:
    image = rng.integers(90, 160, (SIDE, SIDE, 3), dtype=np.uint8)
    instances = []
    for label, grey in enumerate((250, 5)):
        x, y, width, height = (int(each) for each in rng.integers(10, 30, 4))
        image[y : y + height, x : x + width] = grey
        box = [x, y, x + width, y + height]
        instances.append(dict(bbox=box, bbox_label=label, ignore_flag=0))
    return dict(img=image, img_id=index, instances=instances)


class Image:
    """The picture of a data set that holds it in memory."""

    def __call__(self, results: dict) -> dict:
        size = results['img'].shape[:2]
        image = results['img'].astype(np.float32)
        return results | dict(img=image, img_path='drawn', img_shape=size, ori_shape=size)


class SumMetric(ToyMetric):
    """Of the boxes and scores that are found."""

    def process(self, data_batch: object, data_samples: list[dict]) -> None:
        for sample in data_samples:
            found = sample['pred_instances']
            numbers = torch.cat([found['bboxes'].flatten() / SIDE, found['scores']])
            self.results.append(numbers.double().sum().item())


def detector_parts(head: str) -> Parts:
    init_default_scope('mmdet')
    augment = [
        dict(type='PhotoMetricDistortion'),
        dict(type='MinIoURandomCrop'),
        dict(type='RandomFlip', prob=0.5),
    ]
    data = {}
    for training in (True, False):
        pipeline = [
            Image(),
            dict(type='LoadAnnotations', with_bbox=True),
            *(augment if training else []),
            dict(type='Resize', scale=(SIDE, SIDE), keep_ratio=False),
            dict(
                type='PackDetInputs', meta_keys=('img_id', 'img_path', 'img_shape', 'scale_factor')
            ),
        ]
        data[training] = Drawn(pipeline=pipeline, serialize_data=False)
    strides = HEADS[head]['anchor_generator']['strides']
    options = {key: each for key, each in HEADS[head].items() if key != 'train_cfg'}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MODELS.build(
            ConfigDict(
                type='SingleStageDetector',
                data_preprocessor=dict(
                    type='DetDataPreprocessor', mean=[127.0] * 3, std=[127.0] * 3
                ),
                backbone=dict(type='SmallBackbone', strides=strides),
                bbox_head=dict(num_classes=2, lrm=LRM, **options),
                train_cfg=HEADS[head].get('train_cfg'),
                test_cfg=TEST | dict(conf_thr=-1),
            )
        )
    model.init_weights = lambda: None  # done already, and alike each time
    return Parts(model, data[True], data[False], SumMetric())


PARTS = {head: partial(detector_parts, head) for head in HEADS}
