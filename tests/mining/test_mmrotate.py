"""Rotated detectors of mmrotate, which mine by a line of their config."""

from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from mmdet_lrm import LRMElementLoss

REASON = "needs the extra 'rotate' (onedl-mmrotate), and torchvision for the torch that is here"
mmrotate = pytest.importorskip('mmrotate', reason=REASON, exc_type=ImportError)
boxes = pytest.importorskip('mmrotate.structures.bbox', reason=REASON, exc_type=ImportError)
registry = pytest.importorskip('mmrotate.registry', reason=REASON, exc_type=ImportError)
utils = pytest.importorskip('mmrotate.utils', reason=REASON, exc_type=ImportError)
SIDE = 128
DETECTORS = {
    'rotated_retinanet/rotated-retinanet-rbox-le90_r50_fpn_1x_dota': 'FocalLoss',
    'rotated_fcos/rotated-fcos-le90_r50_fpn_1x_dota': 'FocalLoss',
    'rotated_atss/rotated-atss-le90_r50_fpn_1x_dota': 'FocalLoss',
    'rotated_rtmdet/rotated_rtmdet_tiny-3x-dota': 'QualityFocalLoss',
}


@pytest.fixture(autouse=True)
def scope():
    utils.register_all_modules(init_default_scope=False)
    init_default_scope('mmrotate')


def detector(name, **loss):
    folder = Path(mmrotate.__file__).parent / '.mim/configs'
    model = Config.fromfile(folder / f'{name}.py').model
    model.backbone.init_cfg = None
    model.bbox_head.loss_cls.update(loss)
    # The IoU of rotated boxes has a gradient on GPUs alone; this loss of boxes is mmrotate's too.
    if model.bbox_head.loss_bbox.type == 'RotatedIoULoss':
        model.bbox_head.loss_bbox = dict(type='GDLoss', loss_type='gwd')
    torch.manual_seed(0)
    return registry.MODELS.build(model)


def batch():
    """An image with one object."""
    meta = dict(img_shape=(SIDE, SIDE), pad_shape=(SIDE, SIDE), batch_input_shape=(SIDE, SIDE))
    sample = DetDataSample(metainfo=meta)
    box = boxes.RotatedBoxes(torch.tensor([[60.0, 60.0, 50.0, 24.0, 0.3]]))
    nothing = boxes.RotatedBoxes(torch.zeros(0, 5))
    sample.gt_instances = InstanceData(bboxes=box, labels=torch.tensor([2]))
    sample.ignored_instances = InstanceData(bboxes=nothing, labels=torch.zeros(0).long())
    image = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    return image, [sample]


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'loss'), DETECTORS.items())
def test_a_rotated_detector_trains_a_step_on_the_hard_elements(name, loss):
    mined = dict(type='mmdet.LRMElementLoss', loss=f'mmdet.{loss}')
    losses = {}
    for ratio in (None, 1.0, 0.25):
        model = detector(name, **(mined | dict(hard_ratio=ratio) if ratio else {}))
        found = model.loss(*batch())
        losses[ratio] = torch.as_tensor(found['loss_cls']).sum()
        model.parse_losses(found)[0].backward()
    assert isinstance(model.bbox_head.loss_cls, LRMElementLoss)
    torch.testing.assert_close(losses[1.0], losses[None])
    assert 0.25 < losses[0.25] / losses[None] < 0.45
    gradients = [each.grad for each in model.parameters() if each.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
