"""Targets of a whole batch as tensor functions: truths, overlaps, which prior learns which truth.

mmdet assigns image by image, and truth by truth within an image; these do the same for all of them
at once, and without waiting for an accelerator.

Letters: N images, L levels, A base priors per cell, P priors of one image over all levels, G the
largest number of ground-truth boxes of an image, at least 1. Boxes are x1, y1, x2, y2 in input
pixels. Priors are ordered by level, row, column, base prior, as mmdet's generators order them.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from mmdet.structures.bbox import get_box_tensor
from mmdet.utils import InstanceList, OptInstanceList
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..mining.overlap import box_overlap, coordinates_apart

TRUTHS_AT_ONCE = 4
"""Of each image, when truths are compared with priors; see :func:`_pieces`."""


class Truths(NamedTuple):
    """The ground truth of a batch, padded with boxes of zeros to G of each image."""

    bboxes: Tensor
    """(N, G, 4)"""
    labels: Tensor
    """(N, G) int64"""
    mask: Tensor
    """(N, G) bool, False for padding."""
    counts: Sequence[int]
    """N numbers of truths, known to the host."""

    def rows(self) -> Tensor:
        """(T,) int64 place of each of the batch's T truths among (N * G) rows."""
        # The host knows the counts; to ask the mask would wait for an accelerator.
        num_gts = self.mask.shape[1]
        starts = range(0, len(self.counts) * num_gts, num_gts)
        there = map(range, starts, map(sum, zip(starts, self.counts, strict=True)))
        return to_device(list(chain.from_iterable(there)), like=self.mask, dtype=torch.long)

    def gather(self, gt_inds: Tensor) -> tuple[Tensor, Tensor]:
        """(N, M, 4) boxes and (N, M) labels of truths (N, M); arbitrary ones where it is -1."""
        inds = gt_inds.clamp(min=0)
        return (
            self.bboxes.gather(1, inds[..., None].expand(-1, -1, 4)),
            self.labels.gather(1, inds),
        )


def pad_truths(instances: InstanceList, max_gts: int | None = None) -> Truths:
    """Stack the first ``max_gts`` boxes and labels of each image."""
    bboxes = [get_box_tensor(each.bboxes)[:max_gts].float() for each in instances]
    labels = [each.labels[:max_gts].long() for each in instances]
    counts = [len(each) for each in labels]
    mask = [torch.ones_like(each, dtype=torch.bool) for each in labels]
    bboxes, labels, mask = (pad_sequence(each, batch_first=True) for each in (bboxes, labels, mask))
    if mask.shape[1] == 0:
        bboxes = F.pad(bboxes, (0, 0, 0, 1))
        labels, mask = (F.pad(each, (0, 1)) for each in (labels, mask))
    return Truths(bboxes, labels, mask, counts)


def grid_priors(
    generator: AnchorGenerator, grids: Sequence[tuple[int, int]], device: torch.device
) -> list[Tensor]:
    """(P_l, 4) priors of each level with a map of H, W cells."""
    # The generator keeps its base priors on the host and would copy them in every step.
    generator.base_anchors = [each.to(device) for each in generator.base_anchors]
    return generator.grid_priors(grids, device=device)


def to_device(numbers: ArrayLike, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Numbers of the host where ``like`` is; from pinned memory they travel in the background."""
    tensor = torch.tensor(numbers, dtype=dtype, pin_memory=like.is_cuda)
    return tensor.to(like.device, non_blocking=True)


class _Piece(NamedTuple):
    """A few truths of each image that has so many."""

    images: slice | Tensor
    """Which of N; (N',) int64 unless all of them."""
    truths: slice
    """Which of G."""


def _pieces(counts: Sequence[int], num_columns: int, like: Tensor) -> Iterator[_Piece]:
    """A few truths at a time, to be compared with (N, num_columns) boxes where ``like`` is.

    So few that the comparison stays in a processor's cache: a crowded image costs time, not memory,
    and no time for the others. An accelerator, which has no such cache, takes what fits in 64 MB.
    """
    num_at_once = TRUTHS_AT_ONCE
    if like.is_cuda:
        num_at_once = max(num_at_once, 2**24 // (len(counts) * num_columns))
    for first in range(0, max(counts), num_at_once):
        images = [index for index, count in enumerate(counts) if count > first]
        every = len(images) == len(counts)
        yield _Piece(
            slice(None) if every else to_device(images, like), slice(first, first + num_at_once)
        )


class _BestTruth:
    """The truth that overlaps each prior most, of the truths seen so far.

    Attributes:
        overlap: (N, M), -1 for none.
        gt_inds: (N, M) int64, the first one of a tie.
    """

    def __init__(self, like: Tensor) -> None:
        self.overlap = torch.full_like(like, -1, dtype=torch.float32)
        self.gt_inds = torch.zeros_like(like, dtype=torch.long)

    def see(self, overlaps: Tensor, piece: _Piece) -> None:
        """The truths of a piece as well, of which the overlaps are (N', G', M)."""
        overlap, gt_inds = overlaps.max(dim=1)
        so_far = self.overlap[piece.images]
        best_inds = self.gt_inds[piece.images]
        better = overlap > so_far
        self.overlap[piece.images] = torch.where(better, overlap, so_far)
        self.gt_inds[piece.images] = torch.where(better, gt_inds + piece.truths.start, best_inds)


def max_overlap(bboxes: Tensor, others: Tensor, counts: Sequence[int], mode: str = 'iou') -> Tensor:
    """(N, P) largest overlap of boxes (N, P, 4) with any of the first counts of (N, G, 4)."""
    bboxes = coordinates_apart(bboxes)
    largest = bboxes.new_zeros(bboxes.shape[:2])
    # A box of zeros, as images are filled up with, overlaps nothing.
    for images, piece in _pieces(counts, bboxes.shape[1], bboxes):
        overlaps = box_overlap(bboxes[images, None], others[images, piece, None], mode)
        largest[images] = torch.maximum(largest[images], overlaps.amax(dim=1))
    return largest


def checked_iof_thr(iof_thr: float | None, default: float | None) -> float | None:
    """``ignore_iof_thr`` of a head, the default for None; ValueError outside [0, 1]."""
    iof_thr = default if iof_thr is None else iof_thr
    if iof_thr is not None and not 0 <= iof_thr <= 1:
        raise ValueError(f'bbox_head.ignore_iof_thr is {iof_thr}; it must lie in [0, 1]')
    return iof_thr


def in_ignored(bboxes: Tensor, instances: OptInstanceList, iof_thr: float) -> Tensor:
    """(N, P) bool, where more than ``iof_thr`` of a box (N, P, 4) lies in an ignored instance."""
    # An image without ignored instances may come as None, and their labels may be missing.
    regions = [
        get_box_tensor(each.bboxes).float() if each is not None else bboxes.new_zeros(0, 4)
        for each in instances or [None] * len(bboxes)
    ]
    counts = [len(each) for each in regions]
    return max_overlap(bboxes, pad_sequence(regions, True), counts, mode='iof') > iof_thr


def first_of_each(prior_inds: Tensor, wanted: Tensor, num_priors: int) -> Tensor:
    """(N, M) bool: of the ``wanted`` entries that name the same prior, the first one.

    Args:
        prior_inds: (N, M) in 0..P.
        wanted: (N, M) bool.
        num_priors: P.
    """
    order = torch.arange(prior_inds.shape[1], device=prior_inds.device).expand_as(prior_inds)
    first = prior_inds.new_full((len(prior_inds), num_priors + 1), prior_inds.shape[1])
    first = first.scatter_reduce(1, prior_inds.masked_fill(~wanted, num_priors), order, 'amin')
    return wanted & (first.gather(1, prior_inds) == order)


def to_priors(values: Tensor, prior_inds: Tensor, where: Tensor, num_priors: int) -> Tensor:
    """(N, P) with the values (N, M) at their priors where ``where`` is True, and zero elsewhere.

    Of the entries that name one prior ``where`` holds one at most. Differentiable.
    """
    # One column more takes what has no place.
    inds = prior_inds.masked_fill(~where, num_priors)
    full = values.new_zeros(len(values), num_priors + 1)
    return full.scatter(1, inds, values)[:, :num_priors]


class CellMatches(NamedTuple):
    """What the priors of the cells that hold the centre of a truth learn.

    Letters: M = G * L * A, for every truth the priors of its cell on each level.
    """

    prior_inds: Tensor
    """(N, M) in 0..P; P for padding."""
    gt_inds: Tensor
    """(N, M) index of the truth that the prior learns, -1 for none. A prior may occur twice."""
    negative: Tensor
    """(N, P) bool, True for the priors that overlap no truth by more than the threshold."""


def match_in_cells(
    truths: Truths,
    level_priors: Sequence[Tensor],
    grids: Sequence[tuple[int, int]],
    strides: Sequence[tuple[int, int]],
    pos_iou_thr: float,
    neg_iou_thr: float | tuple[float, float],
    min_pos_iou: float = 0.0,
    gt_max_assign_all: bool = True,
) -> CellMatches:
    """mmdet's GridAssigner with the responsible flags of YOLOV3Head, for a batch.

    (1) Negatives overlap no truth by more than ``neg_iou_thr``, or lie between its two numbers. (2)
    The priors of each truth's cells. (3) Such a prior learns the truth that overlaps it most, if by
    more than ``pos_iou_thr``, be that truth's centre in its cell or not. (4) Each truth takes the
    priors of any of these cells that it overlaps most; of two truths the later wins.

    A centre on or beyond the border of the image belongs to the nearest cell.
    """
    priors = torch.cat(list(level_priors))
    # 1
    overlaps = max_overlap(priors.expand(len(truths.mask), -1, -1), truths.bboxes, truths.counts)
    low, high = neg_iou_thr if isinstance(neg_iou_thr, tuple | list) else (-1.0, neg_iou_thr)
    negative = (overlaps > low) & (overlaps <= high) | ~truths.mask.any(dim=1, keepdim=True)
    # 2
    prior_inds = _priors_of_cells(truths, level_priors, grids, strides)
    mask = truths.mask[..., None, None].expand_as(prior_inds).flatten(1)
    prior_inds = prior_inds.flatten(1)
    best, last = _BestTruth(prior_inds), torch.full_like(prior_inds, -1)
    for piece in _pieces(truths.counts, prior_inds.shape[1], priors):
        images = piece.images
        inds = prior_inds[images, None]
        overlaps = box_overlap(truths.bboxes[images, piece.truths, None], priors[inds])
        both = mask[images, None] & truths.mask[images, piece.truths, None]
        overlaps = overlaps.masked_fill(~both, -1)
        best.see(overlaps, piece)  # 3
        gt_overlap = overlaps.amax(dim=2, keepdim=True)  # 4
        taken = (overlaps == gt_overlap) & (gt_overlap > min_pos_iou)
        if not gt_max_assign_all:
            candidates = inds.expand_as(taken).masked_fill(~taken, len(priors))
            taken = taken & (inds == candidates.amin(dim=2, keepdim=True))
        last[images] = torch.maximum(last[images], _last(taken, piece))
    gt_inds = best.gt_inds.masked_fill(best.overlap <= pos_iou_thr, -1)
    gt_inds = torch.where(last >= 0, last, gt_inds)
    return CellMatches(
        prior_inds.masked_fill(~mask, len(priors)), gt_inds.masked_fill(~mask, -1), negative
    )


def _priors_of_cells(
    truths: Truths,
    level_priors: Sequence[Tensor],
    grids: Sequence[tuple[int, int]],
    strides: Sequence[tuple[int, int]],
) -> Tensor:
    """(N, G, L, A) index of the priors in the cells that hold the centres of the truths."""
    centers = (truths.bboxes[..., :2] + truths.bboxes[..., 2:]) * 0.5
    prior_inds, offset = [], 0
    for level, (height, width), (stride_x, stride_y) in zip(
        level_priors, grids, strides, strict=True
    ):
        col = (centers[..., 0] / stride_x).floor().long().clamp(0, width - 1)
        row = (centers[..., 1] / stride_y).floor().long().clamp(0, height - 1)
        num_base_priors = len(level) // (height * width)
        base = torch.arange(num_base_priors, device=level.device)
        prior_inds.append(offset + (row * width + col)[..., None] * num_base_priors + base)
        offset += len(level)
    return torch.stack(prior_inds, dim=2)


def match_by_iou(
    truths: Truths,
    priors: Tensor,
    inside: Tensor,
    pos_iou_thr: float,
    neg_iou_thr: float | tuple[float, float],
    min_pos_iou: float = 0.0,
    gt_max_assign_all: bool = True,
    match_low_quality: bool = True,
) -> tuple[Tensor, Tensor]:
    """mmdet's MaxIoUAssigner, for a batch.

    (1) Negatives overlap no truth by ``neg_iou_thr`` or more, or lie between its two numbers. (2) A
    prior learns the truth that overlaps it most, if by ``pos_iou_thr`` or more. (3) Each truth
    takes the prior that it overlaps most (or all of the same overlap); of two truths the later
    wins.

    Args:
        truths: of N images.
        priors: (P, 4).
        inside: (N, P) bool, False for priors that take no part, such as those outside the image.
        pos_iou_thr: and the rest as MaxIoUAssigner.

    Returns:
        (N, P) index of the truth that each prior learns, -1 for none, and (N, P) bool, True for
        negatives.
    """
    priors = coordinates_apart(priors)
    best, last = _BestTruth(inside), torch.full_like(inside, -1, dtype=torch.long)
    for piece in _pieces(truths.counts, len(priors), priors):
        images = piece.images
        mask = truths.mask[images, piece.truths]
        overlaps = box_overlap(truths.bboxes[images, piece.truths, None], priors)
        overlaps = overlaps.masked_fill(~(inside[images, None] & mask[..., None]), -1)
        best.see(overlaps, piece)
        gt_overlap, gt_prior = overlaps.max(dim=2)
        taking = mask & (gt_overlap >= min_pos_iou)
        if gt_max_assign_all:
            taken = (overlaps == gt_overlap[..., None]) & taking[..., None]
            taken_by = _last(taken, piece)
        else:
            taken_by = assign_truths(gt_prior.masked_fill(~taking, len(priors)), len(priors))
            taken_by = torch.where(taken_by >= 0, taken_by + piece.truths.start, -1)
        last[images] = torch.maximum(last[images], taken_by)
    # 1
    low, high = neg_iou_thr if isinstance(neg_iou_thr, tuple | list) else (0.0, neg_iou_thr)
    negative = (best.overlap >= low) & (best.overlap < high)
    negative = inside & (negative | ~truths.mask.any(dim=1, keepdim=True))
    # 2
    gt_inds = best.gt_inds.masked_fill(best.overlap < pos_iou_thr, -1)
    # 3
    if match_low_quality:
        gt_inds = torch.where(last >= 0, last, gt_inds)
    return gt_inds, negative & (gt_inds < 0)


def assign_truths(prior_inds: Tensor, num_priors: int) -> Tensor:
    """Index of the truth that each prior learns; of two truths with one prior the later wins.

    Args:
        prior_inds: (N, G) index of the prior that each truth takes, P for none.
        num_priors: P.

    Returns:
        (N, P) int64, -1 for priors without a truth.
    """
    num_imgs, num_gts = prior_inds.shape
    gt_inds = torch.arange(num_gts, device=prior_inds.device).expand(num_imgs, -1)
    # One column more takes the padding. The maximum makes the result the same in any order.
    assigned = prior_inds.new_full((num_imgs, num_priors + 1), -1)
    return assigned.scatter_reduce(1, prior_inds, gt_inds, 'amax')[:, :num_priors]


def _last(taken: Tensor, piece: _Piece) -> Tensor:
    """(N', M) index of the last truth of a piece that takes each prior, by taken (N', G', M).

    -1 where none does.
    """
    order = torch.arange(taken.shape[1], device=taken.device)[:, None] + piece.truths.start
    return torch.where(taken, order, -1).amax(dim=1)
