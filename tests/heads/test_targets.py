"""The batched assignment against mmdet's own, image by image, on random cases."""

import pytest
import torch
from mmdet.models.task_modules.assigners import GridAssigner, MaxIoUAssigner
from mmdet.models.task_modules.prior_generators import SSDAnchorGenerator, YOLOAnchorGenerator
from mmengine.structures import InstanceData

from mmdet_lrm.heads.targets import (
    first_of_each,
    grid_priors,
    in_ignored,
    match_by_iou,
    match_in_cells,
    max_overlap,
    pad_truths,
    to_priors,
)
from mmdet_lrm.mining.overlap import box_overlap

SIDE = 64
GRIDS = [(2, 2), (4, 4), (8, 8)]
NUM_IMAGES = 250  # of each combination of options


def yolo_priors():
    generator = YOLOAnchorGenerator(
        strides=[32, 16, 8],
        base_sizes=[[(40, 24), (24, 40)], [(16, 16), (20, 12)], [(8, 8), (4, 12)]],
    )
    return generator, generator.grid_priors(GRIDS, device='cpu')


def ssd_priors():
    generator = SSDAnchorGenerator(
        strides=[8, 16, 32],
        ratios=[[2], [2, 3], [2]],
        min_sizes=[8, 16, 32],
        max_sizes=[16, 32, 48],
        scale_major=False,
    )
    return torch.cat(generator.grid_priors(GRIDS[::-1], device='cpu'))


@pytest.mark.parametrize('neg_iou_thr', [0.5, (0.1, 0.4)])
@pytest.mark.parametrize('pos_iou_thr', [0.2, 0.5])
@pytest.mark.parametrize('min_pos_iou', [0.0, 0.3])
@pytest.mark.parametrize('gt_max_assign_all', [True, False])
def test_matching_in_cells_is_that_of_the_grid_assigner(
    neg_iou_thr, pos_iou_thr, min_pos_iou, gt_max_assign_all, random_instances
):
    generator, level_priors = yolo_priors()
    priors = torch.cat(level_priors)
    options = (pos_iou_thr, neg_iou_thr, min_pos_iou, gt_max_assign_all)
    assigner = GridAssigner(*options)
    images = random_instances(NUM_IMAGES, seed=1)
    matches = match_in_cells(pad_truths(images), level_priors, GRIDS, generator.strides, *options)
    where = first_of_each(matches.prior_inds, matches.gt_inds >= 0, len(priors))
    assigned = to_priors(matches.gt_inds + 1, matches.prior_inds, where, len(priors))
    for index, image in enumerate(images):
        flags = torch.cat(generator_flags(generator, image.bboxes))
        expected = assigner.assign(InstanceData(priors=priors, responsible_flags=flags), image)
        assert torch.equal(assigned[index], expected.gt_inds.clamp(min=0))
        negative = matches.negative[index] & (assigned[index] == 0)
        assert torch.equal(negative, expected.gt_inds == 0)


def generator_flags(generator, bboxes):
    """The responsible flags as YOLOV3Head makes them."""
    centers = (bboxes[:, :2] + bboxes[:, 2:]) * 0.5
    flags = []
    for (stride, _), (height, width), num in zip(
        generator.strides, GRIDS, generator.num_base_priors, strict=True
    ):
        cells = torch.zeros(height, width, num, dtype=torch.uint8)
        col, row = (centers / stride).floor().long().T
        cells[row, col] = 1
        flags.append(cells.flatten())
    return flags


@pytest.mark.parametrize('neg_iou_thr', [0.5, (0.1, 0.4)])
@pytest.mark.parametrize('min_pos_iou', [0.0, 0.3])
@pytest.mark.parametrize(
    ('match_low_quality', 'gt_max_assign_all'), [(True, True), (True, False), (False, True)]
)
def test_matching_by_iou_is_that_of_the_max_iou_assigner(
    neg_iou_thr, min_pos_iou, gt_max_assign_all, match_low_quality, random_instances
):
    priors = ssd_priors()
    options = dict(
        pos_iou_thr=0.5,
        neg_iou_thr=neg_iou_thr,
        min_pos_iou=min_pos_iou,
        gt_max_assign_all=gt_max_assign_all,
        match_low_quality=match_low_quality,
    )
    assigner = MaxIoUAssigner(**options)
    images = random_instances(NUM_IMAGES, seed=2)
    # Of every other image the priors at the right do not take part.
    inside = torch.ones(NUM_IMAGES, len(priors), dtype=torch.bool)
    inside[::2] = priors[:, 2] < SIDE
    gt_inds, negative = match_by_iou(pad_truths(images), priors, inside, **options)
    for index, image in enumerate(images):
        kept = inside[index]
        expected = assigner.assign(InstanceData(priors=priors[kept]), image).gt_inds
        assert torch.equal(gt_inds[index, kept] + 1, expected.clamp(min=0))
        assert torch.equal(negative[index, kept], expected == 0)
        assert (gt_inds[index, ~kept] == -1).all() and not negative[index, ~kept].any()


def test_a_centre_on_the_far_border_belongs_to_the_last_cell():
    generator, level_priors = yolo_priors()
    image = InstanceData(bboxes=torch.tensor([[60.0, 60, 68, 68]]), labels=torch.tensor([0]))
    matches = match_in_cells(pad_truths([image]), level_priors, GRIDS, generator.strides, 0.5, 0.5)
    assert matches.prior_inds.tolist() == [[6, 7, 8 + 30, 8 + 31, 40 + 126, 40 + 127]]


def test_base_priors_go_to_the_device_in_the_first_step_only():
    generator, level_priors = yolo_priors()
    grid_priors(generator, GRIDS, torch.device('meta'))
    moved = list(generator.base_anchors)
    assert {each.device.type for each in moved} == {'meta'}
    grid_priors(generator, GRIDS, torch.device('meta'))
    assert all(new is old for new, old in zip(generator.base_anchors, moved, strict=True))
    generator, _ = yolo_priors()
    for found, expected in zip(grid_priors(generator, GRIDS, 'cpu'), level_priors, strict=True):
        assert torch.equal(found, expected)


def test_overlap_of_hand_worked_boxes():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 20], [5, 5, 5, 5]])
    other = torch.tensor([0.0, 0, 10, 10])
    assert box_overlap(boxes, other).tolist() == [1.0, 0.5, 0.0]
    assert box_overlap(boxes, other, mode='iof').tolist() == [1.0, 0.5, 0.0]
    assert box_overlap(other, boxes, mode='iof').tolist() == [1.0, 1.0, 0.0]
    small = torch.tensor([0.0, 0, 0.5, 0.5])
    assert box_overlap(small, torch.tensor([0.0, 0, 0.5, 0.25])).item() == 0.5


def test_padding_overlaps_nothing():
    boxes = torch.tensor([[[0.0, 0, 10, 10]]])
    others = torch.tensor([[[0.0, 0, 10, 20], [0, 0, 0, 0]]])
    assert max_overlap(boxes, others, [1]).tolist() == [[0.5]]
    assert max_overlap(boxes, others, [0]).tolist() == [[0.0]]


def test_an_image_without_ignored_instances_may_come_as_none():
    boxes = torch.tensor([[[0.0, 0, 10, 10], [0, 0, 10, 40]]]).expand(2, -1, -1)
    region = InstanceData(bboxes=torch.tensor([[0.0, 0, 10, 10]]))
    assert in_ignored(boxes, [region, None], 0.5).tolist() == [[True, False], [False, False]]
    assert not in_ignored(boxes, None, 0.5).any()


def test_a_box_of_which_just_the_threshold_lies_in_an_ignored_instance_is_not_ignored():
    boxes = torch.tensor([[[0.0, 0, 10, 20], [0, 0, 10, 19]]])
    region = InstanceData(bboxes=torch.tensor([[0.0, 0, 10, 10]]))
    assert in_ignored(boxes, [region], 0.5).tolist() == [[False, True]]


def test_values_go_to_the_first_entry_of_each_prior_and_so_do_gradients():
    prior_inds = torch.tensor([[2, 0, 2, 3]])
    where = first_of_each(prior_inds, torch.tensor([[False, True, True, True]]), num_priors=3)
    assert where.tolist() == [[False, True, True, False]]  # the last one is padding
    again = first_of_each(torch.tensor([[1, 1, 1]]), torch.tensor([[False, True, True]]), 3)
    assert again.tolist() == [[False, True, False]]
    values = torch.tensor([[1.0, 2.0, 4.0, 8.0]], requires_grad=True)
    placed = to_priors(values, prior_inds, where, num_priors=3)
    assert placed.tolist() == [[2.0, 0.0, 4.0]]
    placed.sum().backward()
    assert values.grad.tolist() == [[0.0, 1.0, 1.0, 0.0]]
