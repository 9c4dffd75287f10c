"""``LRMLoss``: the options of Loss Rank Mining as a registered module that dense heads call."""

import torch
from mmdet.registry import MODELS
from mmdet.utils import reduce_mean
from torch import Tensor, nn

from .mining import hard_mask, num_to_keep, per_cell, thin_by_nms

_REMEDY = 'For training without mining remove `lrm` from the config'


@MODELS.register_module()
class LRMLoss(nn.Module):
    """Keep the priors with the largest losses of each image and reduce their losses.

    The paper (arXiv 1804.04606) filters the easy elements of the final feature map out of the
    training loss. What its abstract leaves open is an option here; each default is *our reading*.

    Letters: N images, P priors of one image over all levels, A base priors per cell.

    Args:
        num_hard: How many elements an image keeps, a positive integer. Excludes ``hard_ratio``.
        hard_ratio: The share of an image's valid elements that is kept, in (0, 1]. Our reading:
            0.25, used when neither is given.
        rank_by: Names of the loss terms whose sum is ranked, such as ``('loss_conf',)``. Our
            reading: None, all terms of the prior.
        element: ``'prior'`` (our reading) ranks each prior, ``'cell'`` the sum over the base priors
            of a cell of the feature map, which then stay or go together.
        scope: ``'image'`` (our reading) ranks within each image, ``'batch'`` over all images of the
            batch of one process, ``num_hard`` then being the mean number per image.
        nms_iou_thr: Thin overlapping priors by NMS at this IoU, in (0, 1), with the loss as score,
            before the ranking. Our reading: None, no thinning. With ``element='cell'`` a cell is
            ranked by the priors of it that survive.
        keep_positives: Always keep the positives, also where they rank as easy, in addition to
            the hard elements. Our reading: False, every element can be filtered out.
        normalizer: What the sum of the kept losses is divided by: ``'batch'`` (our reading, as
            darknet) the number of images, ``'positives'`` the number of positives of the batch
            whether kept or not, as SSD, ``'hard'`` the number of kept priors. Numbers of priors
            are averaged over the processes of distributed training and are 1 at least.

    Attributes:
        strength: In [0, 1], set by :class:`mmdet_lrm.LRMScheduleHook`: 0 keeps every element, 1 the
            hard ones, between them the number kept goes linearly from all to K.
    """

    def __init__(
        self,
        num_hard: int | None = None,
        hard_ratio: float | None = None,
        rank_by: str | list[str] | tuple[str, ...] | None = None,
        element: str = 'prior',
        scope: str = 'image',
        nms_iou_thr: float | None = None,
        keep_positives: bool = False,
        normalizer: str = 'batch',
    ) -> None:
        super().__init__()
        if num_hard is not None and hard_ratio is not None:
            raise ValueError(
                f'lrm.num_hard is {num_hard} and lrm.hard_ratio is {hard_ratio}; only one of them '
                f'can say how many elements are kept. Remove the other, or set it to None'
            )
        if num_hard is None and hard_ratio is None:
            hard_ratio = 0.25
        if num_hard is not None and (
            isinstance(num_hard, bool) or not isinstance(num_hard, int) or num_hard < 1
        ):
            raise ValueError(f'lrm.num_hard is {num_hard!r}; it must be an integer >= 1. {_REMEDY}')
        if hard_ratio is not None and not 0 < hard_ratio <= 1:
            raise ValueError(f'lrm.hard_ratio is {hard_ratio}; it must lie in (0, 1]. {_REMEDY}')
        if nms_iou_thr is not None and not 0 < nms_iou_thr < 1:
            raise ValueError(
                f'lrm.nms_iou_thr is {nms_iou_thr}; it must lie in (0, 1). For mining without '
                f'thinning set it to None'
            )
        _check_choice('element', element, ('prior', 'cell'))
        _check_choice('scope', scope, ('image', 'batch'))
        _check_choice('normalizer', normalizer, ('batch', 'positives', 'hard'))
        self.num_hard = num_hard
        self.hard_ratio = hard_ratio
        self.rank_by = (rank_by,) if isinstance(rank_by, str) else rank_by
        self.element = element
        self.scope = scope
        self.nms_iou_thr = nms_iou_thr
        self.keep_positives = keep_positives
        self.normalizer = normalizer
        self.strength = 1.0
        self._non_finite = _NonFiniteReport()

    def check_terms(self, terms: tuple[str, ...]) -> None:
        """Raise ValueError if ``rank_by`` names a term that the head does not have.

        A head calls this when it is built, so that a misspelt term fails before any training.
        """
        unknown = [term for term in self.rank_by or () if term not in terms]
        if unknown or (self.rank_by is not None and len(self.rank_by) == 0):
            raise ValueError(
                f'lrm.rank_by is {tuple(self.rank_by)}; this head has the terms {tuple(terms)}. '
                f'Name one or more of them, or set it to None to rank by their sum'
            )

    @torch.no_grad()
    def hard_mask(
        self,
        losses: dict[str, Tensor],
        valid: Tensor,
        positive: Tensor | None = None,
        bboxes: Tensor | None = None,
        num_base_priors: int = 1,
    ) -> Tensor:
        """Which priors train: the mask that ``forward`` applies, for pictures and statistics.

        1. Sum the ranked terms. 2. Thin overlapping priors. 3. Go from priors to cells, from images
        to the batch. 4. Keep the hardest. 5. Add the positives.

        Args:
            losses: By term, (N, P) unreduced losses of each prior, >= 0, weights included.
            valid: (N, P) bool; False for priors in ignored regions or padding, which neither rank
                nor train.
            positive: (N, P) bool, needed by ``keep_positives`` and ``normalizer='positives'``.
            bboxes: (N, P, 4) decoded boxes in input pixels, needed by ``nms_iou_thr``.
            num_base_priors: A, needed by ``element='cell'``.

        Returns:
            (N, P) bool without gradient.
        """
        terms = self.rank_by or tuple(losses)
        loss = sum(losses[term].float() for term in terms)  # 1
        rankable = valid
        if self.nms_iou_thr is not None:  # 2
            rankable = thin_by_nms(loss, valid, _given('bboxes', bboxes), self.nms_iou_thr)
        ranked = rankable
        if self.element == 'cell':  # 3
            loss, ranked = per_cell(loss, rankable, num_base_priors)
        shape = loss.shape
        num_hard = self.num_hard
        if self.scope == 'batch':
            loss, ranked = loss.reshape(1, -1), ranked.reshape(1, -1)
            num_hard = num_hard and num_hard * shape[0]
        # 4: K counts the elements before the thinning, of which there may then be fewer than K.
        num_keep = num_to_keep(
            self._elements(valid, num_base_priors), num_hard, self.hard_ratio, self.strength
        )
        mask = hard_mask(loss, num_keep, ranked).reshape(shape)
        if self.element == 'cell':
            mask = mask.repeat_interleave(num_base_priors, dim=1) & rankable
        if self.strength == 0:
            mask = valid
        if self.keep_positives:  # 5
            mask = mask | (_given('positive', positive) & valid)
        return mask

    def forward(
        self,
        losses: dict[str, Tensor],
        valid: Tensor,
        positive: Tensor | None = None,
        bboxes: Tensor | None = None,
        num_base_priors: int = 1,
    ) -> dict[str, Tensor]:
        """Reduce the losses of the kept priors; the arguments are those of :meth:`hard_mask`.

        Returns:
            By term, a scalar. The gradient reaches the kept priors only.

        Raises:
            FloatingPointError: A valid prior has a loss that is NaN or infinite. On the CPU at
                once, on an accelerator in the next call, since asking would stall the step.
        """
        self._non_finite.check(losses, valid)
        mask = self.hard_mask(losses, valid, positive, bboxes, num_base_priors)
        if self.normalizer == 'batch':
            avg_factor = len(mask)
        else:
            counted = mask if self.normalizer == 'hard' else _given('positive', positive) & valid
            avg_factor = reduce_mean(counted.sum().float()).clamp(min=1)
        # `where`, not a product: an invalid prior may be infinite, and 0 * inf is NaN.
        return {
            term: torch.where(mask, loss, loss.new_zeros(())).sum() / avg_factor
            for term, loss in losses.items()
        }

    def extra_repr(self) -> str:
        amount = (
            f'num_hard={self.num_hard}'
            if self.num_hard is not None
            else f'hard_ratio={self.hard_ratio}'
        )
        return (
            f'{amount}, rank_by={self.rank_by}, element={self.element}, scope={self.scope}, '
            f'nms_iou_thr={self.nms_iou_thr}, keep_positives={self.keep_positives}, '
            f'normalizer={self.normalizer}'
        )

    def _elements(self, valid: Tensor, num_base_priors: int) -> Tensor:
        """Valid elements in the rows that are ranked: priors or cells, of an image or the batch."""
        if self.element == 'cell':
            valid = valid.reshape(len(valid), -1, num_base_priors).any(dim=2)
        return valid.reshape(1, -1) if self.scope == 'batch' else valid


class _NonFiniteReport:
    """Raise for losses that are not finite, without stalling an accelerator.

    On the CPU the answer is at hand. On an accelerator reading it in the same step would wait for
    all queued work, so the flags travel to the host in the background and are read one call later.
    """

    def __init__(self) -> None:
        self._pending = None

    def __reduce__(self) -> tuple:
        # A CUDA event cannot be copied; a copied model (an EMA, say) starts with nothing pending.
        return _NonFiniteReport, ()

    def check(self, losses: dict[str, Tensor], valid: Tensor) -> None:
        bad = torch.stack(
            [(~torch.isfinite(loss.detach()) & valid).any(dim=1) for loss in losses.values()]
        )
        if not bad.is_cuda:
            self._raise_if_any(tuple(losses), bad, '')
            return
        if self._pending is not None:
            terms, flags, arrived = self._pending
            self._pending = None
            arrived.synchronize()
            self._raise_if_any(terms, flags, ' of the previous training step')
        flags = torch.empty(bad.shape, dtype=torch.bool, pin_memory=True)
        flags.copy_(bad, non_blocking=True)
        arrived = torch.cuda.Event()
        arrived.record()
        self._pending = (tuple(losses), flags, arrived)

    @staticmethod
    def _raise_if_any(terms: tuple[str, ...], bad: Tensor, when: str) -> None:
        if not bad.any():
            return
        found = '; '.join(
            f'{term} of image {", ".join(map(str, row.nonzero().flatten().tolist()))}'
            for term, row in zip(terms, bad, strict=True)
            if row.any()
        )
        raise FloatingPointError(
            f'The loss of a prior is NaN or infinite: {found} (index in the batch){when}. Such a '
            f'prior cannot be ranked. Lower the learning rate, lengthen the warm-up, set '
            f'optim_wrapper.clip_grad, or look for broken boxes in these images'
        )


def _check_choice(name: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise ValueError(f'lrm.{name} is {given!r}; it must be one of {", ".join(allowed)}')


def _given(name: str, tensor: Tensor | None) -> Tensor:
    if tensor is None:
        raise ValueError(
            f'LRMLoss needs `{name}` for the options of this config, and the head passed None. '
            f'Pass it, or remove the option'
        )
    return tensor
