"""Parts of this package that a config names, checked before a run writes anything."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config

from mmdet_lrm import KittiMetric, LRMLoss
from mmdet_lrm.launch import LaunchError, require_parts
from mmdet_lrm.launch.parts import options_of

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            {'model.bbox_head.lrm.hard_ratio': '25%'},
            "model cannot be built: lrm.hard_ratio is '25%'; it must lie in (0, 1]",
        ),
        (
            {'model.bbox_head.lrm.nms_iou_thr': 'half'},
            "model cannot be built: lrm.nms_iou_thr is 'half'; it must lie in (0, 1)",
        ),
        (
            {
                'model.bbox_head.lrm': dict(
                    _delete_=True, type='HardNegativeLoss', neg_pos_ratio='3'
                )
            },
            "model cannot be built: lrm.neg_pos_ratio is '3'; it must be larger than 0",
        ),
        (
            {'model.bbox_head.lrm.hardratio': 0.25},
            'model.bbox_head.lrm has hardratio, which LRMLoss does not take; is hard_ratio meant? '
            'It takes num_hard, hard_ratio, rank_by, element, scope, nms_iou_thr, keep_positives, '
            'normalizer',
        ),
        (
            {'model.bbox_head.lrm.type': 'LRMLos'},
            "model.bbox_head.lrm.type is 'LRMLos', which does not exist; it may be "
            'HardNegativeLoss or LRMLoss',
        ),
        (
            {'model.bbox_head.type': 'YOLOv2Head'},
            "model.bbox_head.type is 'YOLOv2Head', which does not exist; is YOLOV2Head meant?",
        ),
        (
            {'custom_hooks': [dict(type='LRMSchedulerHook')]},
            "custom_hooks.0.type is 'LRMSchedulerHook', which does not exist; is LRMScheduleHook",
        ),
        (
            {'custom_hooks': [dict(type='MiningDiagnosisHook', interval=0)]},
            'custom_hooks.0 cannot be built: MiningDiagnosisHook.interval is 0',
        ),
        (
            {'val_evaluator.label_folder': 'label_2'},
            'val_evaluator has label_folder, which KittiMetric does not take; is label_dir meant? ',
        ),
        (
            {'model.bbox_head.lrm.rank_by': 'loss_x'},
            "model cannot be built: lrm.rank_by is ('loss_x',); this head has the terms",
        ),
    ],
)
def test_what_of_ours_cannot_be_built_is_told_by_its_key(options, message):
    cfg = Config.fromfile(CONFIGS / 'yolov2-tiny_lrm_kitti.py')
    require_parts(cfg)
    cfg.merge_from_dict(options)
    with pytest.raises(LaunchError, match='^' + re.escape(message)):
        require_parts(cfg)


def test_the_options_of_a_loss_in_ours_are_its_own():
    loss = dict(type='LRMElementLoss', loss='FocalLoss', gama=2)
    cfg = Config.fromfile(CONFIGS / 'yolov3-tiny-transfer_kitti.py')
    cfg.model.bbox_head = dict(type='RetinaHead', num_classes=3, in_channels=8, loss_cls=loss)
    with pytest.raises(LaunchError, match=r"model cannot be built: .*'gama'"):
        require_parts(cfg)


def test_options_of_a_parent_are_options():
    assert list(options_of(LRMLoss))[:2] == ['num_hard', 'hard_ratio']
    assert {'label_dir', 'collect_device'} <= options_of(KittiMetric).keys()
