"""From the losses of priors to one number a term."""

import torch
from torch import Tensor


def masked_sum(loss: Tensor, mask: Tensor) -> Tensor:
    """Sum of the losses where ``mask`` is True."""
    # `where`, not a product: a prior outside the mask may be infinite, and 0 * inf is NaN.
    return torch.where(mask, loss, loss.new_zeros(())).sum()
