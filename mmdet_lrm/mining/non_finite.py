"""The report of losses that cannot be ranked."""

import torch
from torch import Tensor


class NonFiniteReport:
    """Raise for losses that are not finite, without stalling an accelerator.

    On the CPU the answer is at hand. On an accelerator reading it in the same step would wait for
    all queued work, so the flags travel to the host in the background and are read one call later.
    """

    def __init__(self) -> None:
        self._pending = None

    def __reduce__(self) -> tuple:
        # A CUDA event cannot be copied; a copied model (an EMA, say) starts with nothing pending.
        return NonFiniteReport, ()

    def check(self, losses: dict[str, Tensor], valid: Tensor) -> None:
        # The sum of an image is finite if and only if each loss is.
        zero = valid.new_zeros((), dtype=torch.float32)
        sums = [torch.where(valid, loss.detach(), zero).sum(dim=1) for loss in losses.values()]
        bad = ~torch.stack(sums).isfinite()
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
