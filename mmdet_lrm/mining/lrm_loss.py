"""The miners that a head takes under the key ``lrm``: ``LRMLoss``, and SSD's rule as its rival."""

from collections.abc import Sequence

import torch
from mmdet.registry import MODELS
from mmdet.utils import OptConfigType
from torch import Tensor, nn

from .non_finite import NonFiniteReport
from .options import REMEDY, amount, check_choice, checked_amount, is_number
from .prior_losses import PriorLosses
from .rank import Level, hard_mask, num_to_keep, per_cell, per_prior, thin_by_nms
from .reduction import NORMALIZERS, reduce_losses


class Miner(nn.Module):
    """Selects the priors that train, in ``hard_mask``; :func:`reduce_losses` sums what they lose.

    Args:
        rank_by: Names of the loss terms whose sum is ranked, such as ``('loss_conf',)``; None: all
            terms of the prior.
        normalizer: What the sum of the kept losses is divided by: ``'head'`` what the head divides
            its losses by without mining, ``'batch'`` the number of images, ``'positives'`` the
            number of positives of the batch whether kept or not, ``'hard'`` the number of kept
            priors. Counts are averaged over the processes of distributed training; the last two
            are 1 at least, of all processes together.
    """

    needs_bboxes = False
    """Whether ``hard_mask`` looks at ``PriorLosses.bboxes``, which a head need not decode else."""

    def __init__(
        self, rank_by: str | list[str] | tuple[str, ...] | None = None, normalizer: str = 'head'
    ) -> None:
        super().__init__()
        check_choice('normalizer', normalizer, NORMALIZERS)
        self.rank_by = (rank_by,) if isinstance(rank_by, str) else rank_by
        self.normalizer = normalizer
        self._non_finite = NonFiniteReport()

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

    def ranked_loss(self, losses: dict[str, Tensor]) -> Tensor:
        """(N, P) float32 sum of the ranked terms."""
        return sum(losses[term].float() for term in self.rank_by or tuple(losses))

    def hard_mask(self, prior_losses: PriorLosses) -> Tensor:
        """(N, P) bool without gradient, the priors that train."""
        raise NotImplementedError

    def forward(self, prior_losses: PriorLosses) -> dict[str, Tensor]:
        """By term, a scalar: the reduced losses of the kept priors, which alone get a gradient.

        Raises:
            FloatingPointError: A valid prior has a loss that is NaN or infinite. On the CPU at
                once, on an accelerator in the next call, since asking would stall the step.
        """
        losses = prior_losses.of_valid()
        self._non_finite.check(tuple(prior_losses.losses), losses, prior_losses.images)
        return reduce_losses(prior_losses, self.hard_mask(prior_losses), self.normalizer, losses)


class AllPriors(Miner):
    """What a head without ``lrm`` trains on: every valid prior, under the same rule of what is not
    finite."""

    def hard_mask(self, prior_losses: PriorLosses) -> Tensor:
        return prior_losses.valid


def build_miner(config: OptConfigType, terms: tuple[str, ...]) -> Miner | None:
    """The miner of a head's key ``lrm`` for the terms of its loss; None for None."""
    if config is None:
        return None
    miner = MODELS.build(config)
    miner.check_terms(terms)
    return miner


@MODELS.register_module()
class LRMLoss(Miner):
    """Keep the priors with the largest losses of each image and reduce their losses.

    The paper (arXiv 1804.04606) filters the easy elements of the final feature map out of the
    training loss. What its abstract leaves open is an option here; each default is *our reading*.

    Args:
        num_hard: How many elements an image keeps, a positive integer. Excludes ``hard_ratio``.
        hard_ratio: The share of an image's valid elements that is kept, in (0, 1]. Our reading:
            0.25, used when neither is given.
        rank_by: As :class:`Miner`. Our reading: None, all terms of the prior.
        element: ``'prior'`` (our reading) ranks each prior, ``'cell'`` the sum over the base priors
            of a cell of the feature map, which then stay or go together.
        scope: ``'image'`` (our reading) ranks within each image over all its levels, ``'level'``
            within each level of each image, ``num_hard`` then being the number of each level (the
            reading of arXiv 2202.13080), ``'batch'`` over all images of the batch of one process,
            ``num_hard`` then being the mean number per image.
        nms_iou_thr: Thin overlapping priors by NMS at this IoU, in (0, 1), with the loss as score,
            before the ranking. Our reading: None, no thinning. With ``element='cell'`` a cell is
            ranked by the priors of it that survive.
        keep_positives: Always keep the positives, also where they rank as easy, in addition to
            the hard elements. Our reading: False, every element can be filtered out.
        normalizer: As :class:`Miner`. Our reading: ``'head'``, so that mining alone changes.

    Attributes:
        strength: In [0, 1], set by :class:`mmdet_lrm.LRMScheduleHook`: 0 keeps every element, 1 the
            hard ones, between them the number kept goes linearly from all to those. With
            ``nms_iou_thr`` these are kept first, then the hardest others of the image.
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
        normalizer: str = 'head',
    ) -> None:
        super().__init__(rank_by, normalizer)
        self.num_hard, self.hard_ratio = checked_amount(num_hard, hard_ratio, 'lrm.')
        if nms_iou_thr is not None and not (is_number(nms_iou_thr) and 0 < nms_iou_thr < 1):
            raise ValueError(
                f'lrm.nms_iou_thr is {nms_iou_thr!r}; it must lie in (0, 1). For mining without '
                f'thinning set it to None'
            )
        check_choice('element', element, ('prior', 'cell'))
        check_choice('scope', scope, ('image', 'level', 'batch'))
        self.element = element
        self.scope = scope
        self.nms_iou_thr = nms_iou_thr
        self.keep_positives = keep_positives
        self.strength = 1.0

    @property
    def needs_bboxes(self) -> bool:
        return self.nms_iou_thr is not None

    @torch.no_grad()
    def hard_mask(self, prior_losses: PriorLosses) -> Tensor:
        """Which priors train: the mask that ``forward`` applies, for pictures and statistics.

        (1) Sum the ranked terms. (2) Thin overlapping priors. (3) Keep the hardest. (4) Below full
        strength add the hardest of what thinning took. (5) Add the positives.

        Args:
            prior_losses: ``bboxes`` is needed by ``nms_iou_thr``, ``positive`` by
                ``keep_positives``, ``levels`` by ``element='cell'`` and ``scope='level'``.

        Returns:
            (N, P) bool without gradient.
        """
        mask = valid = prior_losses.valid
        if self.strength > 0:
            loss = self.ranked_loss(prior_losses.losses)  # 1
            candidates = self._thinned(loss, prior_losses)  # 2
            levels = prior_losses.levels or [Level(valid.shape[1], 1)]
            mask = self._hardest(loss, candidates, valid, levels)  # 3
            if self.needs_bboxes and self.strength < 1:  # 4
                first = loss.masked_fill(mask, torch.finfo(loss.dtype).max)
                num_keep = num_to_keep(valid, mask.sum(dim=1), strength=self.strength)
                mask = hard_mask(first, num_keep, valid)
        if self.keep_positives:  # 5
            mask = mask | (prior_losses.given('positive', type(self).__name__) & valid)
        return mask

    def _thinned(self, loss: Tensor, prior_losses: PriorLosses) -> Tensor:
        """(N, P) bool, the valid priors that may be ranked."""
        if not self.needs_bboxes:
            return prior_losses.valid
        bboxes = prior_losses.given('bboxes', type(self).__name__)
        num_wanted = None
        if self.scope == 'image' and self.element == 'prior':
            num_wanted = self._num_to_keep(prior_losses.valid, self.num_hard)
        return thin_by_nms(loss, prior_losses.valid, bboxes, self.nms_iou_thr, num_wanted)

    def _num_to_keep(self, counted: Tensor, num_hard: int | None) -> Tensor:
        strength = 1.0 if self.needs_bboxes else self.strength
        return num_to_keep(counted, num_hard, self.hard_ratio, strength)

    def _hardest(
        self, loss: Tensor, candidates: Tensor, counted: Tensor, levels: Sequence[Level]
    ) -> Tensor:
        """(N, P) bool, the K hardest candidates of each ranking.

        (1) Go from priors to cells, (2) and to the groups that are ranked apart. (3) Keep the
        hardest of each group. K is a share of those that are counted, of which fewer may be
        candidates.
        """
        priors, num_hard = candidates, self.num_hard
        groups = [level.num_priors for level in levels]
        if self.element == 'cell':  # 1
            _, counted = per_cell(loss, counted, levels)
            loss, candidates = per_cell(loss, candidates, levels)
            groups = [level.num_cells for level in levels]
        shape = loss.shape
        if self.scope == 'batch':  # 2
            loss, candidates, counted = (
                each.reshape(1, -1) for each in (loss, candidates, counted)
            )
            num_hard = num_hard and num_hard * shape[0]
        if self.scope != 'level':
            groups = [loss.shape[1]]
        masks = [  # 3
            hard_mask(part, self._num_to_keep(all_, num_hard), candidate)
            for part, candidate, all_ in zip(
                *(each.split(groups, dim=1) for each in (loss, candidates, counted)), strict=True
            )
        ]
        mask = torch.cat(masks, dim=1).reshape(shape)
        return per_prior(mask, levels) & priors if self.element == 'cell' else mask

    def extra_repr(self) -> str:
        return (
            f'{amount(self.num_hard, self.hard_ratio)}, rank_by={self.rank_by}, '
            f'element={self.element}, scope={self.scope}, '
            f'nms_iou_thr={self.nms_iou_thr}, keep_positives={self.keep_positives}, '
            f'normalizer={self.normalizer}'
        )


@MODELS.register_module()
class HardNegativeLoss(Miner):
    """SSD's selection, as a rival of :class:`LRMLoss` under the same ``lrm`` key.

    All positives train, and of the negatives of each image the ``neg_pos_ratio`` times as many with
    the largest loss (Liu et al., ECCV 2016, section 2.2); none, then, of an image without objects.

    Args:
        neg_pos_ratio: Negatives per positive, > 0.
        rank_by: As :class:`Miner`, such as ``'loss_conf'``.
        normalizer: As :class:`Miner`.
    """

    def __init__(
        self,
        neg_pos_ratio: float = 3,
        rank_by: str | list[str] | tuple[str, ...] | None = None,
        normalizer: str = 'head',
    ) -> None:
        super().__init__(rank_by, normalizer)
        if not (is_number(neg_pos_ratio) and neg_pos_ratio > 0):
            raise ValueError(
                f'lrm.neg_pos_ratio is {neg_pos_ratio!r}; it must be larger than 0. {REMEDY}'
            )
        self.neg_pos_ratio = neg_pos_ratio

    @torch.no_grad()
    def hard_mask(self, prior_losses: PriorLosses) -> Tensor:
        """(N, P) bool, the positives and the hardest negatives."""
        valid = prior_losses.valid
        positive = prior_losses.given('positive', type(self).__name__) & valid
        num_negatives = (self.neg_pos_ratio * positive.sum(dim=1).double()).long()
        loss = self.ranked_loss(prior_losses.losses)
        return positive | hard_mask(loss, num_negatives, valid & ~positive)

    def extra_repr(self) -> str:
        return (
            f'neg_pos_ratio={self.neg_pos_ratio}, rank_by={self.rank_by}, '
            f'normalizer={self.normalizer}'
        )
