"""The head against darknet's own region layer, on its raw maps, truths and gradients."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from mmdet_lrm.heads import YOLOV2Head

STRIDE = 32


@pytest.mark.parametrize(
    'case', ['voc_13x13', 'kitti_39x12', 'colliding_truths', 'voc_13x13_prior_warmup']
)
def test_gradient_equals_darknets_delta(shared_dir, case):
    golden = np.load(shared_dir / 'golden' / 'darknet_region' / f'{case}.npz')
    raw = torch.from_numpy(golden['pred_map']).requires_grad_()
    num_imgs, channels, height, width = raw.shape
    head = YOLOV2Head(
        num_classes=channels // 5 - 5,
        in_channels=1,
        anchor_generator=dict(
            type='YOLOAnchorGenerator',
            base_sizes=[[tuple(size) for size in (golden['anchors'] * STRIDE).tolist()]],
            strides=[STRIDE],
        ),
        object_scale=float(golden['object_scale']),
        noobject_scale=float(golden['noobject_scale']),
        class_scale=float(golden['class_scale']),
        coord_scale=float(golden['coord_scale']),
        neg_iou_thr=float(golden['thresh']),
    )
    head.images_seen.fill_(int(golden['seen']))
    size = torch.tensor([width, height, width, height]) * STRIDE
    gt_instances = [
        _instances(torch.from_numpy(truth[:num_gt]), size)
        for truth, num_gt in zip(golden['truth'], golden['num_gt'], strict=True)
    ]
    metas = [dict(img_shape=(height * STRIDE, width * STRIDE))] * num_imgs

    losses = head.loss_by_feat([raw], gt_instances, metas)
    sum(losses.values()).backward()

    slope = torch.ones(num_imgs, 5, channels // 5, height, width)
    activated = torch.from_numpy(golden['activated']).view_as(slope)
    for channel in (0, 1, 4):
        slope[:, :, channel] = activated[:, :, channel] * (1 - activated[:, :, channel])
    expected = -torch.from_numpy(golden['delta']).view_as(slope) * slope
    torch.testing.assert_close(raw.grad.view_as(slope) * num_imgs, expected, atol=1e-4, rtol=0)


def _instances(truth, size):
    center, wh = truth[:, :2], truth[:, 2:4]
    return InstanceData(
        bboxes=torch.cat([center - wh / 2, center + wh / 2], dim=1) * size,
        labels=truth[:, 4].long(),
    )
