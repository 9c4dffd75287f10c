"""Memory that a crowded batch takes, its loss and backward, each in a process of its own."""

import subprocess
import sys

import pytest

# A process's peak can only rise: what the step adds to that of everything before it.
STEP = """
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
import mmdet_lrm

def peak():  # MB, of this program alone: getrusage begins with that of the one that started it
    (line,) = (line for line in open('/proc/self/status') if line.startswith('VmHWM:'))
    return int(line.split()[1]) / 1024

def truths(num_gts):
    corners = torch.rand(num_gts, 2, 2) * (side - 20)
    bboxes = torch.cat([corners.amin(dim=1), corners.amax(dim=1) + 19], dim=1)
    return InstanceData(bboxes=bboxes, labels=torch.randint(0, 80, (num_gts,)))

options, path, side, shapes, counts = {arguments!r}
init_default_scope('mmdet')
model = get_config(path).model
bbox_head = {} if options.pop('_delete_', False) else model.bbox_head
head = MODELS.build(ConfigDict(bbox_head, train_cfg=model.train_cfg, **options))
maps = [[torch.randn(32, *shape, requires_grad=True) for shape in level] for level in shapes]
metas = [dict(img_shape=(side, side), pad_shape=(side, side))] * 32
images = [truths(num_gts) for num_gts in counts]
before = peak()
losses = head.loss_by_feat(*maps, images, metas).values()
sum(torch.as_tensor(sum(loss)) if isinstance(loss, list) else loss for loss in losses).backward()
print(peak() - before)
"""
YOLOV3 = (
    dict(type='LRMYOLOV3Head'),
    'mmdet::yolo/yolov3_d53_8xb8-ms-416-273e_coco.py',
    416,
    [[(255, size, size) for size in (13, 26, 52)]],
)
SSD = (
    dict(type='LRMSSDHead'),
    'mmdet::ssd/ssd300_coco.py',
    300,
    [
        [
            (num * width, size, size)
            for num, size in zip((4, 6, 6, 6, 4, 4), (38, 19, 10, 5, 3, 1), strict=True)
        ]
        for width in (81, 4)
    ],
)
# A head of mmdet's that becomes YOLOv2's, whose loss learns no more than 30 truths of an image.
YOLOV2 = (
    dict(_delete_=True, type='YOLOV2Head', num_classes=80, in_channels=1024, max_gts=None),
    'mmdet::yolo/yolov3_d53_8xb8-ms-416-273e_coco.py',
    416,
    [[(425, 13, 13)]],
)
LRM = dict(lrm=dict(type='LRMLoss'))
CROWDED, ONE_CROWDED = [500] * 32, [500] + [5] * 31


def megabytes(options, *rest):
    script = STEP.replace('{arguments!r}', repr((options, *rest)))
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(done.stdout.split()[-1])


@pytest.mark.slow
@pytest.mark.parametrize('counts', [CROWDED, ONE_CROWDED], ids=['all', 'one'])
@pytest.mark.parametrize('head', [YOLOV3, SSD], ids=['yolov3', 'ssd'])
def test_a_crowded_batch_takes_less_memory_than_with_mmdets_head(head, counts):
    options, *rest = head
    assert megabytes({**options, **LRM}, *rest, counts) < megabytes({}, *rest, counts)


@pytest.mark.slow
@pytest.mark.parametrize('head', [YOLOV2, YOLOV3, SSD], ids=['yolov2', 'yolov3', 'ssd'])
def test_one_crowded_image_takes_less_than_300_mb(head):
    options, *rest = head
    assert megabytes({**options, **LRM}, *rest, ONE_CROWDED) < 300
