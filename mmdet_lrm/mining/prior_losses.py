"""``PriorLosses``: what a head knows of its priors' losses, as mining takes it."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .rank import Level


class PriorLosses(NamedTuple):
    """What a head knows of each prior before the reduction; all that mining needs.

    Letters: N images, P priors of one image over all levels.
    """

    losses: dict[str, Tensor]
    """By term, (N, P) float32 losses >= 0, weights included, zero where a term does not apply."""
    valid: Tensor
    """(N, P) bool, False for priors in ignored regions or padding: they neither rank nor train."""
    positive: Tensor | None = None
    """(N, P) bool, True for the priors that a truth is assigned to."""
    bboxes: Tensor | None = None
    """(N, P, 4) decoded predictions in input pixels without gradient; None unless asked for."""
    levels: Sequence[Level] | None = None
    """Of the feature pyramid, in the order of the priors; None: one level of one prior a cell."""
    avg_factor: float | Tensor | None = None
    """What the head divides the sums of its losses by; None: the number of images.

    A tensor is a count of this process, which gives way to the mean of the processes.
    """
    images: Sequence[str] | None = None
    """What messages call the images, such as their files; None: their index in the batch."""

    def of_valid(self) -> Tensor:
        """(T, N, P) losses of the T terms, zero for invalid priors, whose own may be infinite."""
        losses = torch.stack(tuple(self.losses.values()))
        return torch.where(self.valid, losses, losses.new_zeros(()))

    def given(self, name: str, needed_by: str) -> Tensor:
        """The tensor of this name.

        Raises:
            ValueError: it is None; the message says what needs it.
        """
        tensor = getattr(self, name)
        if tensor is None:
            raise ValueError(
                f'{needed_by} needs `{name}` for the options of this config, and the head passed '
                f'None. Pass it, or remove the option'
            )
        return tensor
