"""From the losses of priors to one number of each term, with mining and without."""

import torch
from mmdet.utils import reduce_mean
from mmengine.dist import get_world_size
from torch import Tensor

from .prior_losses import PriorLosses

NORMALIZERS = ('head', 'batch', 'positives', 'hard')


def reduce_losses(
    prior_losses: PriorLosses,
    mask: Tensor | None = None,
    normalizer: str = 'head',
    losses: Tensor | None = None,
) -> dict[str, Tensor]:
    """Sum the losses of the priors in a mask and divide.

    Args:
        prior_losses: of N images.
        mask: (N, P) bool, the priors that train; None: all valid ones.
        normalizer: one of :data:`NORMALIZERS`, see :func:`divisor`.
        losses: what ``prior_losses.of_valid()`` gave, if it was asked already.

    Returns:
        By term, a scalar. The gradient reaches the priors in the mask only.
    """
    losses = prior_losses.of_valid() if losses is None else losses
    by = divisor(prior_losses, prior_losses.valid if mask is None else mask, normalizer)
    if mask is not None:
        # A choice element by element takes the CPU ten times as long.
        losses = losses * mask.float()
    return dict(zip(prior_losses.losses, (losses.sum(dim=(1, 2)) / by).unbind(), strict=True))


def divisor(prior_losses: PriorLosses, mask: Tensor, normalizer: str) -> float | Tensor:
    """What the sum of the kept losses is divided by.

    ``'head'`` is what the head divides by without mining, ``'batch'`` the number of images,
    ``'positives'`` the number of valid positives of the batch whether kept or not, ``'hard'`` the
    number of kept priors. Counts are the mean of the processes of distributed training, so that
    their averaged gradient is that of one process, and the last two are 1 at least, of all
    processes together.
    """
    if normalizer == 'head' and prior_losses.avg_factor is not None:
        factor = prior_losses.avg_factor
        return reduce_mean(factor.float()) if torch.is_tensor(factor) else factor
    if normalizer in ('head', 'batch'):
        return len(mask)
    counted = mask
    if normalizer == 'positives':
        counted = prior_losses.given('positive', "lrm.normalizer='positives'") & prior_losses.valid
    return reduce_mean(counted.sum().float()).clamp(min=1 / get_world_size())
