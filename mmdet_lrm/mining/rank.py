"""Loss Rank Mining as tensor functions: rank the losses of an image's priors, keep the hard ones.

Letters: N images, P priors of one image over all levels, A base priors per cell, K priors to keep.
Every function takes the whole batch at once, returns new tensors and needs no host-device
synchronisation, except :func:`thin_by_nms`, whose NMS operator has a result of unknown length.

Source of the method: Yu et al., "Loss Rank Mining: A General Hard Example Mining Method for
Real-time Detectors", IJCNN 2018, arXiv 1804.04606. Its abstract fixes the idea only; whatever it
leaves open is an argument here and an option of :class:`mmdet_lrm.LRMLoss`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmcv.ops import batched_nms
from torch import Tensor


class Level(NamedTuple):
    """A level of the feature pyramid."""

    num_cells: int
    num_base_priors: int

    @property
    def num_priors(self) -> int:
        return self.num_cells * self.num_base_priors


def loss_rank(loss: Tensor, valid: Tensor | None = None) -> Tensor:
    """Rank of each prior in its row, 0 = hardest, ties by index, invalid priors last.

    Args:
        loss: (N, P) finite losses.
        valid: (N, P) bool; False for priors that take no part. All take part by default.

    Returns:
        (N, P) int64, each row a permutation of 0..P-1.
    """
    if valid is not None:
        loss = loss.masked_fill(~valid, -torch.inf)
    order = loss.detach().argsort(dim=1, descending=True, stable=True)
    return order.argsort(dim=1)


def num_to_keep(
    valid: Tensor,
    num_hard: int | None = None,
    hard_ratio: float | None = None,
    strength: float = 1.0,
) -> Tensor:
    """Number of valid elements that each row keeps.

    A count keeps ``min(num_hard, number of valid)``; a ratio keeps
    ``ceil(hard_ratio * number of valid)``, so that a row with any valid element keeps at least one.
    ``strength`` anneals between everything (0) and that number (1), linearly, rounded up.

    Args:
        valid: (N, P) bool.
        num_hard: K as a count, or None.
        hard_ratio: K as a share in (0, 1] of the valid elements, or None.
        strength: in [0, 1].

    Returns:
        (N,) int64.
    """
    num_valid = valid.sum(dim=1)
    if num_hard is not None:
        target = num_valid.clamp(max=num_hard).double()
    else:
        target = hard_ratio * num_valid.double()
    target = num_valid + strength * (target - num_valid)
    # In binary 0.54 of 450 is more than 243: without the slack it would keep one more.
    return (target - 1e-9 * num_valid).ceil().long()


def hard_mask(loss: Tensor, num_hard: int | Tensor, valid: Tensor | None = None) -> Tensor:
    """Mask of the valid elements with the largest losses of each row, ties by index.

    The same as ``(loss_rank(loss, valid) < num_hard) & valid`` without a sort: the K-th largest
    loss is the threshold, and elements that equal it are taken in the order of their index until K
    are kept.

    Args:
        loss: (N, P) finite losses, compared as float32.
        num_hard: elements to keep in each row, >= 0, one number or (N,) int64; more than the valid
            ones keeps all.
        valid: (N, P) bool; invalid elements are never kept and never count. All are by default.

    Returns:
        (N, P) bool without gradient, exactly ``min(num_hard, number of valid)`` True in each row.
    """
    if valid is None:
        valid = torch.ones_like(loss, dtype=torch.bool)
    loss = loss.detach().float()
    loss = torch.where(valid, loss, loss.new_tensor(-torch.inf))
    num_hard = valid.sum(dim=1).clamp(max=num_hard)[:, None].int()
    # A row that keeps nothing has no element above its largest, and takes none of those.
    threshold = kth_largest(loss, num_hard.clamp(min=1))
    harder = loss > threshold
    tied = loss == threshold
    num_tied = num_hard - harder.sum(dim=1, keepdim=True, dtype=torch.int32)
    return harder | (tied & (tied.cumsum(dim=1, dtype=torch.int32) <= num_tied))


def kth_largest(values: Tensor, k: Tensor) -> Tensor:
    """The k-th largest of each row, with a k of its own, in time linear in the values.

    Bisection over the 32 bits of a float: from the highest on, does the threshold with that bit set
    still leave k values at or above it? torch's ``topk`` and ``kthvalue`` take one k for all rows
    that the host knows, and longer than this where rows have tens of thousands of values.

    Args:
        values: (N, P) float32, not NaN.
        k: (N, 1) int32 in 1..P.

    Returns:
        (N, 1) float32.
    """
    keys = _sortable(values.view(torch.int32))
    at_least = torch.empty_like(keys)
    threshold = torch.full_like(k, torch.iinfo(torch.int32).min)
    for bit in (-(2**31), *(2**place for place in range(30, -1, -1))):
        trial = threshold ^ bit
        # Into numbers, not bools, which would take three times as long to write on the CPU.
        torch.ge(keys, trial, out=at_least)
        enough = at_least.sum(dim=1, keepdim=True, dtype=torch.int32) >= k
        threshold = torch.where(enough, trial, threshold)
    return _sortable(threshold).view(torch.float32)


def _sortable(bits: Tensor) -> Tensor:
    """Bits of floats as int32 to integers in the order of the floats, and back."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def thin_by_nms(loss: Tensor, valid: Tensor, bboxes: Tensor, iou_thr: float) -> Tensor:
    """Mask of the valid priors that survive NMS within their image with the loss as score.

    Neighbouring priors see the same object or the same piece of background; OHEM (Shrivastava et
    al., CVPR 2016, section 4.2) keeps of such a group the one with the largest loss, at IoU 0.7.

    Args:
        loss: (N, P) finite losses.
        valid: (N, P) bool.
        bboxes: (N, P, 4) decoded boxes of the priors, x1, y1, x2, y2 in input pixels.
        iou_thr: a prior goes if its IoU with a harder one that stays is larger.

    Returns:
        (N, P) bool. Equal losses count in the order of their index.
    """
    image_inds, prior_inds = valid.nonzero(as_tuple=True)
    boxes = bboxes.detach().float()[image_inds, prior_inds]
    if len(boxes) == 0:
        return valid.clone()
    # The rank as score has no ties, so the result does not depend on the operator's own sort.
    score = -loss_rank(loss, valid)[image_inds, prior_inds].float()
    # batched_nms parts the images by an offset of the largest coordinate, which needs all >= 0.
    _, kept = batched_nms(
        boxes - boxes.min(), score, image_inds, dict(type='nms', iou_threshold=iou_thr)
    )
    survives = torch.zeros_like(valid)
    survives[image_inds[kept], prior_inds[kept]] = True
    return survives


def per_cell(loss: Tensor, valid: Tensor, levels: Sequence[Level]) -> tuple[Tensor, Tensor]:
    """Sum the losses of the base priors of each cell.

    Args:
        loss: (N, P) losses, level by level, the base priors of a cell side by side, as mmdet's
            generators order them.
        valid: (N, P) bool; invalid priors add nothing.
        levels: L of them, whose priors are P in all.

    Returns:
        (N, number of cells of all levels) losses, and bool, True where a cell has a valid prior.
    """
    loss = loss.masked_fill(~valid, 0)
    losses, valids = [], []
    for level, part, mask in zip(levels, _split(loss, levels), _split(valid, levels), strict=True):
        losses.append(part.unflatten(1, level).sum(dim=2))
        valids.append(mask.unflatten(1, level).any(dim=2))
    return torch.cat(losses, dim=1), torch.cat(valids, dim=1)


def per_prior(cell_mask: Tensor, levels: Sequence[Level]) -> Tensor:
    """(N, number of cells) mask of cells to the (N, P) mask of their priors."""
    parts = cell_mask.split([level.num_cells for level in levels], dim=1)
    return torch.cat(
        [
            part.repeat_interleave(level.num_base_priors, dim=1)
            for level, part in zip(levels, parts, strict=True)
        ],
        dim=1,
    )


def _split(values: Tensor, levels: Sequence[Level]) -> tuple[Tensor, ...]:
    return values.split([level.num_priors for level in levels], dim=1)
