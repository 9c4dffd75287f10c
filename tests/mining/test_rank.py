import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv.ops import nms

from mmdet_lrm.mining import (
    Level,
    hard_mask,
    kth_largest,
    loss_rank,
    num_to_keep,
    per_cell,
    per_prior,
    rank,
    thin_by_nms,
)


def rows(mask):
    return mask.int().tolist()


def everything(loss):
    return torch.ones_like(loss, dtype=torch.bool)


def test_rank_is_by_loss_then_by_index():
    loss = torch.tensor([[3.0, 1.0, 3.0, 2.0], [0.0, 0.0, 0.0, 5.0]])
    assert loss_rank(loss).tolist() == [[0, 3, 1, 2], [1, 2, 3, 0]]


def test_rank_puts_invalid_priors_last():
    valid = torch.tensor([[False, True, True]])
    assert loss_rank(torch.tensor([[9.0, 1.0, 2.0]]), valid).tolist() == [[2, 1, 0]]


def test_hard_mask_keeps_the_largest_losses_of_each_image_and_breaks_ties_by_index():
    loss = torch.tensor([[3.0, 1.0, 3.0, 2.0], [0.0, 0.0, 0.0, 5.0]])
    mask = hard_mask(loss, num_hard=2)
    assert rows(mask) == [[1, 0, 1, 0], [1, 0, 0, 1]]


def test_hard_mask_skips_invalid_priors_before_it_ranks():
    loss = torch.tensor([[9.0, 1.0, 2.0, 3.0]])
    valid = torch.tensor([[False, True, True, True]])
    assert rows(hard_mask(loss, torch.tensor([2]), valid)) == [[0, 0, 1, 1]]


def test_hard_mask_with_fewer_valid_priors_than_wanted_or_none():
    loss = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    valid = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])
    mask = hard_mask(loss, torch.tensor([9, 9, 0]), valid)
    assert rows(mask) == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_hard_mask_of_images_without_priors_is_empty():
    loss = torch.zeros(2, 0)
    assert hard_mask(loss, torch.tensor([3, 3])).shape == (2, 0)


def test_hard_mask_carries_no_gradient():
    loss = torch.rand(1, 4, requires_grad=True)
    assert not hard_mask(loss, torch.tensor([2])).requires_grad


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 12))
def test_hard_mask_equals_the_ranks_below_k(seed, num_imgs, num_priors):
    generator = torch.Generator().manual_seed(seed)
    # Few distinct values make many ties.
    loss = torch.randint(0, 4, (num_imgs, num_priors), generator=generator).float()
    valid = torch.rand(num_imgs, num_priors, generator=generator) < 0.7
    num_hard = torch.randint(0, num_priors + 2, (num_imgs,), generator=generator)
    expected = (loss_rank(loss, valid) < num_hard[:, None]) & valid
    assert torch.equal(hard_mask(loss, num_hard, valid), expected)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 40))
def test_the_kth_largest_is_that_of_a_sort(seed, num_rows, num_values):
    generator = torch.Generator().manual_seed(seed)
    # Bits of any float, of both signs and every size, and some twice.
    bits = torch.randint(-(2**31), 2**31, (num_rows, num_values), generator=generator)
    values = bits.int().view(torch.float32).nan_to_num(nan=0.0)
    values[:, : num_values // 3] = values[:, :1]
    k = torch.randint(1, num_values + 1, (num_rows, 1), generator=generator)
    expected = values.sort(dim=1, descending=True).values.gather(1, k - 1)
    assert torch.equal(kth_largest(values, k.int()), expected)


@pytest.mark.parametrize('num_rows', [1, 3])
def test_on_an_accelerator_too_the_hardest_are_those_of_a_sort(monkeypatch, num_rows):
    """The CPU takes ways of its own, which a graph that is compiled does not."""
    monkeypatch.setattr(torch.compiler, 'is_compiling', lambda: True)
    bits = torch.randint(-(2**31), 2**31, (num_rows, 40))
    values = bits.int().view(torch.float32).nan_to_num(nan=0.0)
    values[:, :9] = values[:, :1]
    valid = torch.rand(num_rows, 40) < 0.7
    ordered = values.sort(dim=1, descending=True).values
    for number in range(1, 41):
        k = torch.full((num_rows, 1), number)
        assert torch.equal(kth_largest(values, k.int()), ordered[:, number - 1, None])
        expected = (loss_rank(values, valid) < k) & valid
        assert torch.equal(hard_mask(values, number, valid), expected)


def test_zeros_of_both_signs_tie_and_losses_may_be_negative():
    loss = torch.tensor([[-0.0, 0.0, -1.0, -0.0]])
    assert rows(hard_mask(loss, 2)) == [[1, 1, 0, 0]]
    assert rows(hard_mask(loss, 3)) == [[1, 1, 0, 1]]


def test_a_ratio_counts_the_valid_priors_and_rounds_up():
    valid = torch.tensor([[True] * 30, [True] * 5 + [False] * 25, [False] * 30])
    assert num_to_keep(valid, hard_ratio=0.1).tolist() == [3, 1, 0]
    assert num_to_keep(valid, hard_ratio=1.0).tolist() == [30, 5, 0]


def test_a_ratio_that_binary_cannot_hold_keeps_no_prior_too_many():
    assert num_to_keep(torch.ones(1, 450, dtype=torch.bool), hard_ratio=0.54).tolist() == [243]


def test_a_count_is_limited_by_the_valid_priors():
    valid = torch.tensor([[True] * 30, [True] * 5 + [False] * 25])
    assert num_to_keep(valid, num_hard=10).tolist() == [10, 5]


def test_strength_goes_from_all_to_k_linearly():
    valid = torch.ones(1, 100, dtype=torch.bool)
    kept = [num_to_keep(valid, num_hard=20, strength=s).item() for s in (0.0, 0.5, 1.0)]
    assert kept == [100, 60, 20]


def test_thinning_drops_what_overlaps_a_harder_prior_of_the_same_image_only():
    left, left_too, right = [0.0, 0, 10, 10], [0.0, 1, 10, 11], [50.0, 0, 60, 10]
    bboxes = torch.tensor([[left, left_too, right], [left, right, left_too]])
    loss = torch.tensor([[1.0, 2.0, 0.5], [1.0, 1.0, 1.0]])
    assert rows(thin_by_nms(loss, everything(loss), bboxes, iou_thr=0.7)) == [[0, 1, 1], [1, 1, 0]]
    assert rows(thin_by_nms(loss, everything(loss), bboxes, iou_thr=0.9)) == [[1, 1, 1], [1, 1, 1]]


def test_a_prior_that_overlaps_a_harder_one_by_just_the_threshold_stays():
    bboxes = torch.tensor([[[0.0, 0, 10, 10], [0, 0, 10, 20]]])
    loss = torch.tensor([[2.0, 1.0]])
    assert rows(thin_by_nms(loss, everything(loss), bboxes, iou_thr=0.5)) == [[1, 1]]
    assert rows(thin_by_nms(loss, everything(loss), bboxes, iou_thr=0.49)) == [[1, 0]]


def full_nms(loss, valid, bboxes, iou_thr):
    """mmcv's, image by image."""
    survives = torch.zeros_like(valid)
    for index, ranks in enumerate(loss_rank(loss, valid)):
        inds = valid[index].nonzero().flatten()
        if len(inds):
            _, kept = nms(bboxes[index, inds], -ranks[inds].float(), iou_thr)
            survives[index, inds[kept]] = True
    return survives


@pytest.mark.parametrize('iou_thr', [0.1, 0.5, 0.7])
@pytest.mark.parametrize(('num_images', 'num_priors'), [(800, 12), (40, 400)])
def test_thinning_leaves_the_hardest_survivors_of_full_nms(iou_thr, num_images, num_priors):
    # On a grid of few places, so that boxes and overlaps tie; the priors fill several blocks.
    corners = torch.randint(0, 10, (num_images, num_priors, 2)).float()
    bboxes = torch.cat([corners, corners + torch.randint(0, 6, corners.shape)], dim=2) - 5
    loss = torch.randint(0, 50, (num_images, num_priors)).float()
    valid = torch.rand(num_images, num_priors) < 0.8
    expected = full_nms(loss, valid, bboxes, iou_thr)
    assert torch.equal(thin_by_nms(loss, valid, bboxes, iou_thr), expected)
    wanted = torch.randint(0, 20, (num_images,))
    thinned = thin_by_nms(loss, valid, bboxes, iou_thr, wanted)
    assert not (thinned & ~expected).any()
    assert torch.equal(hard_mask(loss, wanted, thinned), hard_mask(loss, wanted, expected))


def test_thinning_looks_no_further_than_wanted(monkeypatch):
    monkeypatch.setattr(rank, 'NMS_BLOCK', 2)
    apart = 20 * torch.arange(6.0)[None, :, None] + torch.tensor([0.0, 0, 10, 10])
    loss = torch.arange(6.0, 0, -1)[None]
    assert rows(thin_by_nms(loss, everything(loss), apart, 0.5, torch.tensor([3]))) == [
        [1, 1, 1, 1, 0, 0]
    ]
    # As far as the image that needs most.
    both, losses = apart.expand(2, -1, -1), loss.expand(2, -1)
    thinned = thin_by_nms(losses, everything(losses), both, 0.5, torch.tensor([1, 3]))
    assert rows(thinned) == [[1, 1, 1, 1, 0, 0]] * 2


def test_thinning_keeps_images_apart_with_boxes_left_of_the_origin():
    bboxes = torch.tensor([[[-90.0, -90, 10, 10]], [[-90.0, -90, 10, 10]]])
    loss = torch.tensor([[1.0], [2.0]])
    assert rows(thin_by_nms(loss, everything(loss), bboxes, iou_thr=0.5)) == [[1], [1]]


def test_an_invalid_prior_does_not_suppress():
    bboxes = torch.tensor([[[0.0, 0, 10, 10], [0.0, 0, 10, 10]]])
    valid = torch.tensor([[False, True]])
    assert rows(thin_by_nms(torch.tensor([[9.0, 1.0]]), valid, bboxes, iou_thr=0.5)) == [[0, 1]]
    none = torch.zeros_like(valid)
    assert rows(thin_by_nms(torch.tensor([[9.0, 1.0]]), none, bboxes, iou_thr=0.5)) == [[0, 0]]


def test_a_cell_has_the_loss_of_its_valid_base_priors():
    loss = torch.tensor([[1.0, 2.0, 4.0, 8.0, 16.0, 32.0]])
    valid = torch.tensor([[True, True, True, False, False, False]])
    cell_loss, cell_valid = per_cell(loss, valid, [Level(3, 2)])
    assert cell_loss.tolist() == [[3.0, 4.0, 0.0]]
    assert cell_valid.tolist() == [[True, True, False]]


def test_cells_of_several_levels_and_back():
    levels = [Level(2, 2), Level(1, 3)]
    loss = torch.tensor([[1.0, 2.0, 4.0, 8.0, 1.0, 1.0, 1.0]])
    cell_loss, _ = per_cell(loss, everything(loss), levels)
    assert cell_loss.tolist() == [[3.0, 12.0, 3.0]]
    mask = per_prior(torch.tensor([[False, True, True]]), levels)
    assert rows(mask) == [[0, 0, 1, 1, 1, 1, 1]]
