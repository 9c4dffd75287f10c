"""Loss Rank Mining: the method. Its tensor functions, one page, are :mod:`.rank`."""

from .rank import (
    Level,
    hard_mask,
    kth_largest,
    loss_rank,
    num_to_keep,
    per_cell,
    per_prior,
    thin_by_nms,
)

__all__ = [
    'Level',
    'hard_mask',
    'kth_largest',
    'loss_rank',
    'num_to_keep',
    'per_cell',
    'per_prior',
    'thin_by_nms',
]
