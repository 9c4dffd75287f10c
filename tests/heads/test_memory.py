"""Memory that the loss of a crowded batch takes, each in a process of its own."""

import subprocess
import sys

import pytest

# A process's peak can only rise: what the loss adds to that of everything before it.
LOSS = """
import resource
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
import mmdet_lrm

def peak():  # MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def truths(num_gts):
    corners = torch.rand(num_gts, 2, 2) * (side - 20)
    bboxes = torch.cat([corners.amin(dim=1), corners.amax(dim=1) + 19], dim=1)
    return InstanceData(bboxes=bboxes, labels=torch.randint(0, 80, (num_gts,)))

name, path, side, shapes, counts = {arguments!r}
init_default_scope('mmdet')
model = get_config(path).model
head = MODELS.build(ConfigDict(
    model.bbox_head, type=name, lrm=dict(type='LRMLoss'), train_cfg=model.train_cfg
))
maps = [[torch.randn(32, *shape) for shape in level] for level in shapes]
metas = [dict(img_shape=(side, side), pad_shape=(side, side))] * 32
before = peak()
with torch.no_grad():
    head.loss_by_feat(*maps, [truths(num_gts) for num_gts in counts], metas)
print(peak() - before)
"""
YOLOV3 = (
    'LRMYOLOV3Head',
    'mmdet::yolo/yolov3_d53_8xb8-ms-416-273e_coco.py',
    416,
    [[(255, size, size) for size in (13, 26, 52)]],
)
SSD = (
    'LRMSSDHead',
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
CROWDED, ONE_CROWDED = [500] * 32, [500] + [5] * 31


@pytest.mark.slow
@pytest.mark.parametrize(
    ('head', 'counts', 'limit'),
    [
        # mmdet's own losses take 830 and 350 MB.
        (YOLOV3, CROWDED, 830),
        (SSD, CROWDED, 350),
        (YOLOV3, ONE_CROWDED, 300),
        (SSD, ONE_CROWDED, 300),
    ],
)
def test_the_loss_of_a_crowded_batch_takes_no_more_memory_than_mmdets(head, counts, limit):
    script = LOSS.replace('{arguments!r}', repr((*head, counts)))
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) < limit
