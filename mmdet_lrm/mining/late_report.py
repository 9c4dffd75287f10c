"""Errors that an accelerator finds, raised without waiting for it."""

from collections.abc import Callable

import torch
from torch import Tensor

_COMPILED = (
    'A truth or a loss is not finite, or a label is not one of the classes. Train without '
    'torch.compile to see of which image'
)


class LateReport:
    """Raise for flags, at once on the CPU, and on an accelerator in the next call.

    Reading an accelerator's flags in the same step would wait for all queued work, so they travel
    to the host in the background and are read one call later.
    """

    def __init__(self) -> None:
        self._pending = None

    def __reduce__(self) -> tuple:
        # A CUDA event cannot be copied; a copied model (an EMA, say) starts with nothing pending.
        return LateReport, ()

    def check(
        self, bad: Tensor, error: Callable[[Tensor, str], Exception], wait: bool = False
    ) -> None:
        """Raise ``error(bad, when)`` if a flag is True.

        Args:
            bad: bool, of any shape.
            error: of the flags on the host, and of a phrase that says when, empty for now.
            wait: Raise at once on an accelerator as well.
        """
        if torch.compiler.is_compiling():
            # A graph has no way to an error of ours: it stops with the step, and names nothing.
            torch._assert_async(~bad.any(), _COMPILED)
            return
        if wait or not bad.is_cuda:
            _raise_if_any(bad, error, '')
            return
        pending, self._pending = self._pending, None
        if pending is not None:
            flags, arrived, past_error = pending
            arrived.synchronize()
            _raise_if_any(flags, past_error, ' in the previous training step')
        flags = torch.empty(bad.shape, dtype=torch.bool, pin_memory=True)
        flags.copy_(bad, non_blocking=True)
        arrived = torch.cuda.Event()
        arrived.record()
        self._pending = flags, arrived, error


def _raise_if_any(bad: Tensor, error: Callable[[Tensor, str], Exception], when: str) -> None:
    if bad.any():
        raise error(bad, when)
