"""``PriorLosses``: what a head knows of its priors' losses, as mining takes it."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from .rank import Level
from .reduction import masked_sum


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
    """What the head divides the sums of its losses by; None: the number of images."""

    def reduce(self) -> dict[str, Tensor]:
        """By term, a scalar: the losses of all valid priors, as without mining."""
        avg_factor = len(self.valid) if self.avg_factor is None else self.avg_factor
        return {
            term: masked_sum(loss, self.valid) / avg_factor for term, loss in self.losses.items()
        }
