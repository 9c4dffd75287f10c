"""What the loss of a batch with a crowded image takes, beside mmdet's."""

from collections.abc import Callable

import pytest
import torch
from mmengine.structures import InstanceData
from small_heads import make_head
from torch.profiler import ProfilerActivity, profile

NUM_CLASSES = 20
CROWDED = [500] + [5] * 31  # truths of each image
# As on 300 and 416 pixels in mmdet's configs.
SIDES = dict(SSD=300, YOLOV3=416)
GRIDS = dict(SSD=[38, 19, 10, 5, 3, 1], YOLOV3=[13, 26, 52])
NUM_BASE_PRIORS = [4, 6, 6, 6, 4, 4]
GENERATORS = dict(
    SSD=dict(
        type='SSDAnchorGenerator',
        scale_major=False,
        input_size=300,
        basesize_ratio_range=(0.15, 0.9),
        strides=[8, 16, 32, 64, 100, 300],
        ratios=[[2], [2, 3], [2, 3], [2, 3], [2], [2]],
    ),
    YOLOV3=dict(
        type='YOLOAnchorGenerator',
        base_sizes=[
            [(116, 90), (156, 198), (373, 326)],
            [(30, 61), (62, 45), (59, 119)],
            [(10, 13), (16, 30), (33, 23)],
        ],
        strides=[32, 16, 8],
    ),
)


def head_of(kind, parent=False, **options):
    if kind == 'SSD':
        options |= dict(in_channels=(4,) * 6)
    generator = GENERATORS[kind]
    return make_head(kind, parent, num_classes=NUM_CLASSES, anchor_generator=generator, **options)


def maps_of(kind):
    channels = [[3 * (5 + NUM_CLASSES)] * 3]
    if kind == 'SSD':
        channels = [[num * (NUM_CLASSES + 1) for num in NUM_BASE_PRIORS]]
        channels += [[num * 4 for num in NUM_BASE_PRIORS]]
    return [
        [
            torch.randn(len(CROWDED), width, side, side, requires_grad=True)
            for width, side in zip(widths, GRIDS[kind], strict=True)
        ]
        for widths in channels
    ]


def truths_of(num, side):
    corners = torch.rand(num, 2) * 0.8 * side
    boxes = torch.cat([corners, corners + 2 + torch.rand(num, 2) * 0.15 * side], dim=1)
    return InstanceData(bboxes=boxes, labels=torch.randint(0, NUM_CLASSES, (num,)))


def peak_of(step: Callable[[], object]) -> int:
    """Most bytes that the tensors made by the step had at once."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    events = profiled.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == '[memory]')
    return max(torch.tensor([0] + [change for _, change in changes]).cumsum(0)).item()


def train(head, maps, truths, side):
    meta = dict(img_shape=(side, side), pad_shape=(side, side))
    losses = head.loss_by_feat(*maps, truths, [meta] * len(truths))
    # mmdet's are lists, of levels or of images.
    sum(loss if torch.is_tensor(loss) else sum(loss).sum() for loss in losses.values()).backward()


def test_the_peak_of_hand_worked_steps():
    assert peak_of(lambda: torch.zeros(1000).add_(1)) == pytest.approx(4000, abs=16)
    assert peak_of(lambda: torch.zeros(1000) + torch.zeros(1000)) == pytest.approx(12000, abs=16)


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['YOLOV3', 'SSD'])
def test_one_crowded_image_does_not_fill_the_memory(kind):
    side = SIDES[kind]
    truths = [truths_of(num, side) for num in CROWDED]
    heads = head_of(kind, lrm=dict(type='LRMLoss')), head_of(kind, parent=True)
    maps = maps_of(kind)
    mined, parent = (peak_of(lambda head=head: train(head, maps, truths, side)) for head in heads)
    assert mined < 300e6
    assert mined < parent
