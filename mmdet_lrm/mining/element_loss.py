"""``LRMElementLoss``: Loss Rank Mining inside an element-wise loss, for heads without ``lrm``."""

import copy
import inspect
from collections.abc import Sequence

import torch
from mmdet.models import losses
from mmdet.models.losses.utils import weight_reduce_loss
from mmdet.registry import MODELS
from torch import Tensor, nn

from .non_finite import NonFiniteReport
from .options import amount, check_choice, checked_amount
from .rank import hard_mask, num_to_keep

_REMEDY = (
    'Name an element-wise loss such as FocalLoss, CrossEntropyLoss or L1Loss, or use the loss '
    'without LRMElementLoss'
)


_SUMS = (
    losses.CrossEntropyLoss,
    losses.DistributionFocalLoss,
    losses.FocalLoss,
    losses.L1Loss,
    losses.MSELoss,
    losses.QualityFocalLoss,
    losses.SmoothL1Loss,
    losses.VarifocalLoss,
)
"""Losses of which mmdet adds the weighted elements and divides."""


@MODELS.register_module()
class LRMElementLoss(nn.Module):
    """An element-wise mmdet loss of which only the hardest elements train.

    Where :class:`mmdet_lrm.LRMLoss` ranks a prior by all its terms, this ranks by one term what a
    head passes to one loss, and filters that term alone; so it works in any head. Losses that mmdet
    sums by its ``weight_reduce_loss`` are called once without reduction, and the hard ones summed.
    Any other is called twice, first without gradient and reduction to rank, then with the weights
    of the easy elements set to zero. Weights, ``avg_factor`` and reduction stay the loss's own, and
    with ``hard_ratio=1`` so does the result. In a config one line switches it on, since all other
    keys of the loss stay as the base has them::

        model = dict(bbox_head=dict(loss_cls=dict(type='LRMElementLoss', loss='FocalLoss')))

    An element is what one row of the predictions stands for: (n,) and (n, C) losses have n, which
    most heads collect from all images, level by level, and which are then ranked together.
    (N, P, C) losses have P in each of N images, (N, C, H, W) losses H * W, ranked within the image;
    their C losses are summed. Elements of weight 0, or with a label that the loss ignores, are
    excluded from the ranking.

    Args:
        loss: Registered type of the loss, such as ``'FocalLoss'``. All further arguments are the
            loss's own.
        num_hard: Elements to keep of each ranking, a positive integer. Excludes ``hard_ratio``.
        hard_ratio: Share in (0, 1] of the elements that are kept; 0.25 if neither is given.
        per_image: Take (N, P) losses as P priors of each of N images, as YOLOV3Head passes its
            objectness, not as N priors with P classes.
        normalizer: ``'loss'``, what the loss divides by, ``'hard'`` the number of kept elements
            in the place of both ``avg_factor`` and reduction.

    Attributes:
        strength: In [0, 1], set by :class:`mmdet_lrm.LRMScheduleHook`.
    """

    def __init__(
        self,
        loss: str,
        num_hard: int | None = None,
        hard_ratio: float | None = None,
        per_image: bool = False,
        normalizer: str = 'loss',
        **kwargs,
    ) -> None:
        super().__init__()
        self.num_hard, self.hard_ratio = checked_amount(num_hard, hard_ratio, 'LRMElementLoss.')
        check_choice('normalizer', normalizer, ('loss', 'hard'), key='LRMElementLoss.')
        self._weight_name = _name_of_weight(loss)
        self.loss = MODELS.build(dict(type=loss, **kwargs))
        self.per_image = per_image
        self.normalizer = normalizer
        self.strength = 1.0
        self._non_finite = NonFiniteReport()
        # avg_non_ignore counts labels by itself.
        self._sums = type(self.loss) in _SUMS and not getattr(self.loss, 'avg_non_ignore', False)

    def __getattr__(self, name: str) -> object:
        # Heads ask their losses for `use_sigmoid`, `activated`, `custom_cls_channels` and others.
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == 'loss':
                raise
            return getattr(self.loss, name)

    def forward(self, *args, **kwargs) -> Tensor:
        """The loss of the hardest elements; the arguments are the wrapped loss's.

        Raises:
            FloatingPointError: An element has a loss that is NaN or infinite, be its weight 0 or
                not, since 0 times NaN is NaN; on an accelerator in the next call.
        """
        # Losses differ in where their weight stands and in what they call it.
        given = dict(inspect.signature(self.loss.forward).bind(*args, **kwargs).arguments)
        given |= given.pop('kwargs', {})
        if next(iter(given.values())).numel() == 0:
            return self.loss(**given)
        reduction = given.get('reduction_override') or self.loss.reduction
        avg_factor = given.get('avg_factor')
        divisor = 1
        with torch.set_grad_enabled(self._sums and torch.is_grad_enabled()):
            loss = self._unreduced(given)
        if loss is None:
            return self.loss(**given)
        mask = self._mine(given, loss.detach())
        if self.normalizer == 'hard' and reduction != 'none':
            reduction, avg_factor, divisor = 'sum', None, mask.sum().clamp(min=1)
        if self._sums:
            kept = loss * self._like(mask, loss)
            return weight_reduce_loss(kept, None, reduction, avg_factor) / divisor
        given[self._weight_name] = self._masked_weight(given, loss, mask)
        return (
            self.loss(**given | dict(reduction_override=reduction, avg_factor=avg_factor)) / divisor
        )

    @torch.no_grad()
    def _mine(self, given: dict, loss: Tensor) -> Tensor:
        """(rankings, elements) bool, the hardest of what the losses of elements belong to.

        (1) Rows to rank, and which elements take part. (2) Keep the hardest.
        """
        rows = self._rows(loss.float(), loss).sum(dim=2)  # 1
        valid = self._taking_part(given, loss, rows)
        rankings = ['the batch'] if len(rows) == 1 else None
        self._non_finite.check([type(self.loss).__name__], rows[None], rankings)
        num_keep = num_to_keep(valid, self.num_hard, self.hard_ratio, self.strength)
        return hard_mask(rows, num_keep, valid)  # 2

    def _unreduced(self, given: dict) -> Tensor | None:
        """The losses of elements; None where no element has a weight, and mmdet gives their sum.

        Raises:
            ValueError: the loss has none as it was called.
        """
        # A loss that keeps statistics, such as GHM, must not count this call as a step.
        loss_fn = copy.deepcopy(self.loss) if any(True for _ in self.loss.buffers()) else self.loss
        loss = None
        # With them GaussianFocalLoss adds losses of a few elements to those of all.
        if given.get('pos_inds') is None:
            loss = loss_fn(**given | dict(reduction_override='none', avg_factor=None))
        pred, weight = next(iter(given.values())), given.get(self._weight_name)
        # Losses of boxes ask so themselves, whatever the reduction.
        if torch.is_tensor(loss) and loss.dim() == 0 and weight is not None and not weight.any():
            return None
        if not torch.is_tensor(loss) or loss.dim() == 0 or len(loss) != len(pred):
            raise ValueError(
                f'LRMElementLoss.loss is {type(self.loss).__name__}, which without reduction has '
                f'no losses of elements as this head calls it, with {", ".join(given)}. {_REMEDY}'
            )
        return loss

    def _taking_part(self, given: dict, loss: Tensor, rows: Tensor) -> Tensor:
        """(rankings, elements) bool, False for elements without weight or with an ignored label."""
        valid = torch.ones_like(rows, dtype=torch.bool)
        weight = self._weight_like(given, loss)
        if weight is not None:
            weight = weight.reshape(weight.shape + (1,) * (loss.dim() - weight.dim()))
            valid = (self._rows(weight, loss).amax(dim=2) > 0).expand_as(rows)
        labels = _labels(given)
        if not labels.is_floating_point() and labels.numel() == rows.numel():
            ignored = getattr(self.loss, 'ignore_index', None)
            of_rows = labels.reshape(rows.shape)
            valid = valid & (of_rows >= 0) & (of_rows != (-100 if ignored is None else ignored))
        return valid

    def _weight_like(self, given: dict, loss: Tensor) -> Tensor | None:
        """The weight that the head gave, with the dimensions of the loss if it has its elements."""
        weight = given.get(self._weight_name)
        if weight is not None and weight.numel() == loss.numel():
            return weight.reshape(loss.shape)  # FSAF has one of each class, in one dimension
        return weight

    def _masked_weight(self, given: dict, loss: Tensor, mask: Tensor) -> Tensor:
        """The weight in the shape that it was given in, zero where the mask (of rows) is False."""
        mask = self._like(mask, loss)
        weight = self._weight_like(given, loss)
        if weight is None:
            labels = _labels(given)
            by_row = not labels.is_floating_point() and labels.dim() < loss.dim()
            return mask.flatten().float() if by_row else mask.expand_as(loss).float()
        if weight.dim() < loss.dim():
            masked = weight * mask.reshape(mask.shape[: weight.dim()])
        else:
            masked = weight * mask.reshape(mask.shape + (1,) * (weight.dim() - mask.dim()))
        return masked.reshape(given[self._weight_name].shape)

    def _like(self, mask: Tensor, loss: Tensor) -> Tensor:
        """The mask of rows with the dimensions of the losses, to which it broadcasts."""
        if loss.dim() == 4:
            return mask.view(len(loss), 1, *loss.shape[2:])
        if loss.dim() == 3 or (loss.dim() == 2 and self.per_image):
            return mask.view(*loss.shape[:2], *[1] * (loss.dim() - 2))
        return mask.view(-1, *[1] * (loss.dim() - 1))

    def _rows(self, values: Tensor, loss: Tensor) -> Tensor:
        """Losses, or what broadcasts to them, as (rankings, elements, terms of an element)."""
        if loss.dim() == 4:
            return values.flatten(2).transpose(1, 2)
        if loss.dim() == 3:
            return values
        if self.per_image and loss.dim() == 2:
            return values[..., None]
        return values.reshape(1, len(values), -1)

    def extra_repr(self) -> str:
        return (
            f'{amount(self.num_hard, self.hard_ratio)}, per_image={self.per_image}, '
            f'normalizer={self.normalizer}'
        )


def _labels(given: dict) -> Tensor:
    """The target, or its labels where it has a second part, such as the quality of boxes."""
    _, target, *_ = given.values()
    return target[0] if isinstance(target, tuple | list) else target


def refuse_element_losses(head: nn.Module, terms: Sequence[str], remedy: str) -> None:
    """Raise ValueError if a head that mines by itself was given a loss that mines as well.

    Such a head passes its losses all priors in one column, which no longer tells the images.
    """
    for term in terms:
        if isinstance(getattr(head, term, None), LRMElementLoss):
            raise ValueError(
                f'bbox_head.{term} is LRMElementLoss, which is for heads that cannot mine; '
                f'{type(head).__name__} can. {remedy}'
            )


def _name_of_weight(loss: str) -> str:
    """What the forward of the registered loss calls its weights.

    Raises:
        ValueError: it is not registered, or has no element-wise form.
    """
    loss_class = MODELS.get(loss) if isinstance(loss, str) else None
    if loss_class is None:
        raise ValueError(
            f'LRMElementLoss.loss is {loss!r}; it must be the registered type of a loss, whose own '
            f'arguments stand beside it. {_REMEDY}'
        )
    parameters = inspect.signature(loss_class.forward).parameters
    names = [name for name in ('weight', 'label_weight', 'label_weights') if name in parameters]
    if loss == 'LRMElementLoss' or not names or 'reduction_override' not in parameters:
        raise ValueError(
            f'LRMElementLoss.loss is {loss}, which has no element-wise form: its forward takes no '
            f'weight or no reduction_override. {_REMEDY}'
        )
    return names[0]
