"""Loss Rank Mining as tensor functions: rank the losses of an image's priors, keep the hard ones.

Letters: N images, P priors of one image over all levels, A base priors per cell, K priors to keep.
Every function takes the whole batch at once, returns new tensors and needs no host-device
synchronisation, except :func:`thin_by_nms`, which asks whether it may stop.

Source of the method: Yu et al., "Loss Rank Mining: A General Hard Example Mining Method for
Real-time Detectors", IJCNN 2018, arXiv 1804.04606. Its abstract fixes the idea only; whatever it
leaves open is an argument here and an option of :class:`mmdet_lrm.LRMLoss`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .overlap import box_overlap, coordinates_apart

NMS_BLOCK = 128
"""Priors that thinning compares at once: few make many steps, many compare what is not needed."""
CPU_TILE = 32
"""Of them, what fits in a processor's cache with the priors that they are compared with."""


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
    num_hard: int | Tensor | None = None,
    hard_ratio: float | None = None,
    strength: float = 1.0,
) -> Tensor:
    """Number of valid elements that each row keeps.

    A count keeps ``min(num_hard, number of valid)``; a ratio keeps
    ``ceil(hard_ratio * number of valid)``, so that a row with any valid element keeps at least one.
    ``strength`` anneals between everything (0) and that number (1), linearly, rounded up.

    Args:
        valid: (N, P) bool.
        num_hard: K as a count, one number or (N,) int64, or None.
        hard_ratio: K as a share in (0, 1] of the valid elements, or None.
        strength: in [0, 1].

    Returns:
        (N,) int64.
    """
    num_valid = valid.sum(dim=1)
    if num_hard is None:
        target = num_valid.double() * (1 + strength * (hard_ratio - 1))
    else:
        target = num_valid - strength * (num_valid - num_hard).clamp(min=0).double()
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
    loss = torch.where(valid, loss, loss.new_full((), -torch.inf))
    if not torch.is_tensor(num_hard):
        num_hard = valid.new_full(valid.shape[:1], num_hard, dtype=torch.long)
    num_hard = num_hard.clamp(max=loss.shape[1])[:, None].int()
    # A row that keeps nothing has no element above its largest, and takes none of those; one that
    # keeps more than are valid has all of them above the losses of the others.
    threshold = kth_largest(loss, num_hard.clamp(min=1))
    if loss.is_cpu and not torch.compiler.is_compiling():
        # The CPU may ask: without a tie at the threshold this is all, in half of the time.
        mask = (loss >= threshold) & valid
        if torch.equal(mask.sum(dim=1, keepdim=True, dtype=torch.int32), num_hard):
            return mask
    harder = loss > threshold
    tied = (loss == threshold) & valid
    num_tied = num_hard - harder.sum(dim=1, keepdim=True, dtype=torch.int32)
    return harder | (tied & (tied.cumsum(dim=1, dtype=torch.int32) <= num_tied))


def kth_largest(values: Tensor, k: Tensor) -> Tensor:
    """The k-th largest of each row, with a k of its own, in time linear in the values.

    Bisection over the 32 bits of a float: from the highest on, does the threshold with that bit set
    still leave k values at or above it? torch's ``topk`` and ``kthvalue`` take one k for all rows
    that the host knows, and longer than this where rows have tens of thousands of values. On the
    CPU numpy's selection takes a sixth of the time.

    Args:
        values: (N, P) float32, not NaN.
        k: (N, 1) int32 in 1..P.

    Returns:
        (N, 1) float32.
    """
    if values.is_cpu and values.numel() and not torch.compiler.is_compiling():
        return _kth_largest_by_numpy(values, k)
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


def _kth_largest_by_numpy(values: Tensor, k: Tensor) -> Tensor:
    # numpy takes one k for all rows too: a row whose k is smaller gets as many infinities more.
    largest = int(k.max())
    missing = largest - k.numpy()
    filled = np.where(np.arange(missing.max()) < missing, np.inf, -np.inf).astype(np.float32)
    rows = np.concatenate([values.numpy(), filled], axis=1)
    place = rows.shape[1] - largest
    rows.partition(place, axis=1)
    return torch.from_numpy(rows[:, place, None])


def _sortable(bits: Tensor) -> Tensor:
    """Bits of floats as int32 to integers in the order of the floats, and back."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def thin_by_nms(
    loss: Tensor,
    valid: Tensor,
    bboxes: Tensor,
    iou_thr: float,
    num_wanted: Tensor | None = None,
) -> Tensor:
    """Mask of the valid priors that survive NMS within their image with the loss as score.

    Neighbouring priors see the same object or the same piece of background; OHEM (Shrivastava et
    al., CVPR 2016, section 4.2) keeps of such a group the one with the largest loss, at IoU 0.7.

    (1) Order the priors by loss. (2) Take a block of them: out are those that a survivor of an
    earlier block overlaps, (3) then those that a survivor of the block itself does. (4) Stop once
    every image has as many survivors as wanted.

    Args:
        loss: (N, P) finite losses.
        valid: (N, P) bool.
        bboxes: (N, P, 4) decoded boxes of the priors, x1, y1, x2, y2 in input pixels.
        iou_thr: a prior goes if its IoU with a harder one that stays is larger.
        num_wanted: (N,) of the hardest survivors of each image that matter; None: all.

    Returns:
        (N, P) bool, the survivors of full NMS, of which all but the hardest ``num_wanted`` may be
        missing. Equal losses count in the order of their index.
    """
    ranked = loss.detach().masked_fill(~valid, -torch.inf)
    order = ranked.argsort(dim=1, descending=True, stable=True)
    boxes = bboxes.detach().float().gather(1, order[..., None].expand(-1, -1, 4))
    boxes = coordinates_apart(boxes)  # 1
    free = valid.gather(1, order)
    num_wanted = free.sum(dim=1) if num_wanted is None else num_wanted
    survivors, survives = boxes[:, :0], []
    for block, candidates in zip(boxes.split(NMS_BLOCK, 1), free.split(NMS_BLOCK, 1), strict=True):
        hit = _overlapping(survivors, block, iou_thr).any(dim=1)  # 2
        survives.append(_greedy_nms(block, candidates & ~hit, iou_thr))  # 3
        survivors = torch.cat([survivors, _compact(block, survives[-1])], dim=1)
        num_wanted = num_wanted - survives[-1].sum(dim=1)
        if (num_wanted <= 0).all():  # 4
            break
    survives = torch.cat(survives, dim=1)
    return torch.zeros_like(valid).scatter(1, order[:, : survives.shape[1]], survives)


def _greedy_nms(boxes: Tensor, free: Tensor, iou_thr: float) -> Tensor:
    """(N, B) bool, which of the free boxes (N, B, 4) survive those before them that do."""
    # As numbers: of bools that are spread along the last axis the CPU takes one at a time.
    overlaps = _overlapping(boxes, boxes, iou_thr).float().triu(diagonal=1)
    survives, before = free, None
    # Each round settles at least the first box that was not yet; few chains are longer than three.
    while before is None or not torch.equal(survives, before):
        before = survives
        survives = free & (torch.bmm(survives[:, None].float(), overlaps)[:, 0] == 0)
    return survives


def _overlapping(boxes: Tensor, others: Tensor, iou_thr: float) -> Tensor:
    """(N, M, B) bool, which of the boxes (N, M, 4) and (N, B, 4) overlap by more."""
    tiles = boxes.split(CPU_TILE if boxes.is_cpu else max(boxes.shape[1], 1), dim=1)
    return torch.cat(
        [box_overlap(tile[:, :, None], others[:, None]) > iou_thr for tile in tiles], dim=1
    )


def _compact(boxes: Tensor, mask: Tensor) -> Tensor:
    """(N, M, 4) boxes in the mask, M the most of an image, filled up with boxes of zeros."""
    num_largest = int(mask.sum(dim=1).max())
    first = mask.byte().argsort(dim=1, descending=True, stable=True)[:, :num_largest]
    boxes = torch.where(mask[..., None], boxes, 0)
    return boxes.gather(1, first[..., None].expand(-1, -1, 4))


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
