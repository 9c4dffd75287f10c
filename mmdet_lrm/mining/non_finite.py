"""The report of losses that are NaN or infinite, the same with mining and without."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from .late_report import LateReport


class NonFiniteReport(nn.Module):
    """Raise for losses that are not finite, naming the images; see :class:`LateReport`."""

    def __init__(self) -> None:
        super().__init__()
        self._late = LateReport()

    def check(
        self, terms: Sequence[str], losses: Tensor, images: Sequence[str] | None = None
    ) -> None:
        """Ask for the losses of priors.

        Args:
            terms: T of them.
            losses: (T, N, P), zero for priors that are not asked for.
            images: what the message calls the N images; None: their index in the batch.

        Raises:
            FloatingPointError: a loss is NaN or infinite; on an accelerator in the next call.
        """
        # The sum of an image is finite if and only if each loss is.
        self._report(terms, ~losses.detach().sum(dim=2).isfinite(), images)

    def check_reduced(
        self,
        losses: dict[str, Sequence[Tensor]],
        maps: Sequence[Tensor],
        images: Sequence[str],
    ) -> None:
        """Ask for losses that are sums over images already.

        Blamed are the images whose maps are not finite; if all maps are, all images.

        Args:
            losses: by term, of any number of levels or images.
            maps: the raw maps (N, ...) that the losses come from.
            images: what the message calls the N images.

        Raises:
            FloatingPointError: as :meth:`check`.
        """
        sums = [sum(part.detach().sum() for part in parts) for parts in losses.values()]
        bad = ~torch.stack(sums).isfinite()
        sums = [each.detach().flatten(1).sum(dim=1, dtype=torch.float32) for each in maps]
        broken = ~sum(sums).isfinite()
        self._report(tuple(losses), bad[:, None] & (broken | ~broken.any()), images)

    def _report(self, terms: Sequence[str], bad: Tensor, images: Sequence[str] | None) -> None:
        """Report the flags (T, N) of T terms and N images."""
        images = images or [f'image {index} of the batch' for index in range(bad.shape[1])]
        self._late.check(bad, partial(_error, terms, images))


def _error(
    terms: Sequence[str], images: Sequence[str], bad: Tensor, when: str
) -> FloatingPointError:
    found = '; '.join(
        f'{term} of {", ".join(image for image, flag in zip(images, row, strict=True) if flag)}'
        for term, row in zip(terms, bad.tolist(), strict=True)
        if any(row)
    )
    return FloatingPointError(
        f'The loss is NaN or infinite: {found}{when}. Nothing can be learnt from it. Lower the '
        f'learning rate, lengthen the warm-up, set optim_wrapper.clip_grad, or look for broken '
        f'boxes in these images'
    )
