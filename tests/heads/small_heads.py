"""Small heads of mmdet and their mined siblings, on 64 x 64 pixels, and raw maps for them."""

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict

SIDE = 64
META = dict(img_shape=(SIDE, SIDE), pad_shape=(SIDE, SIDE), scale_factor=(1.0, 1.0))
NUM_CLASSES = 3
NUM_PRIORS = dict(YOLOV3=(4 + 16 + 64) * 2, SSD=64 * 4 + 16 * 6 + 4 * 4)
GRIDS = dict(YOLOV3=[2, 4, 8], SSD=[8, 4, 2])


def bce(reduction='sum', weight=1.0):
    return dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=weight, reduction=reduction)


def make_head(kind, parent=False, reduction='sum', neg_pos_ratio=3, **options):
    """A head of mmdet (``parent``) or its mined sibling, on 64 x 64 pixels."""
    config = dict(type=f'{kind}Head' if parent else f'LRM{kind}Head', num_classes=NUM_CLASSES)
    if kind == 'YOLOV3':
        config |= dict(
            in_channels=[4, 4, 4],
            out_channels=[4, 4, 4],
            anchor_generator=dict(
                type='YOLOAnchorGenerator',
                strides=[32, 16, 8],
                base_sizes=[[(40, 24), (24, 40)], [(16, 16), (20, 12)], [(8, 8), (4, 12)]],
            ),
            loss_cls=bce(reduction),
            loss_conf=bce(reduction),
            loss_xy=bce(reduction, 2.0),
            loss_wh=dict(type='MSELoss', loss_weight=2.0, reduction=reduction),
            train_cfg=dict(
                assigner=dict(type='GridAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0)
            ),
        )
    else:
        config |= dict(
            in_channels=(4, 4, 4),
            anchor_generator=dict(
                type='SSDAnchorGenerator',
                strides=[8, 16, 32],
                ratios=[[2], [2, 3], [2]],
                min_sizes=[8, 16, 32],
                max_sizes=[16, 32, 48],
                scale_major=False,
            ),
            bbox_coder=dict(
                type='DeltaXYWHBBoxCoder',
                target_means=[0.1, 0.0, 0.0, 0.0],
                target_stds=[0.1, 0.1, 0.2, 0.2],
            ),
            train_cfg=dict(
                assigner=dict(
                    type='MaxIoUAssigner',
                    pos_iou_thr=0.5,
                    neg_iou_thr=0.5,
                    min_pos_iou=0.0,
                    gt_max_assign_all=False,
                ),
                sampler=dict(type='PseudoSampler'),
                smoothl1_beta=1.0,
                allowed_border=-1,
                pos_weight=-1,
                neg_pos_ratio=neg_pos_ratio,
            ),
        )
    return MODELS.build(ConfigDict(config | options))


def raw_maps(kind, num_imgs, seed=0):
    rng = torch.Generator().manual_seed(seed)
    maps = []
    channels = dict(YOLOV3=[[2 * (5 + NUM_CLASSES)] * 3], SSD=[[16, 24, 16], [16, 24, 16]])[kind]
    for levels in channels:
        maps.append(
            [
                torch.randn(num_imgs, width, side, side, generator=rng).requires_grad_()
                for width, side in zip(levels, GRIDS[kind], strict=True)
            ]
        )
    return maps
