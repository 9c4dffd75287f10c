"""Errors that an accelerator finds, raised without waiting for it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

_COMPILED = (
    'A truth or a loss is not finite, or a label is not one of the classes. Train without '
    'torch.compile to see of which image'
)


class LateReport(nn.Module):
    """Raise for flags, at once on the CPU, and on an accelerator in the next call.

    Reading an accelerator's flags in the same step would wait for all queued work, so they travel
    to the host in the background and are read one call later. Those of the last step before a
    checkpoint or an evaluation are read there, which is why this is a module: weights that a NaN
    has spoilt are neither written nor evaluated as if nothing had been. Each process reads its own
    flags; one that does not write the checkpoint reads them at the evaluation or the next step.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pending = None

    def __reduce__(self) -> tuple:
        # A CUDA event cannot be copied; a copied model (an EMA, say) starts with nothing pending.
        return LateReport, ()

    def train(self, mode: bool = True) -> 'LateReport':
        if not mode:
            self._raise_pending()
        return super().train(mode)

    def _save_to_state_dict(self, *args, **kwargs) -> None:
        self._raise_pending()
        super()._save_to_state_dict(*args, **kwargs)

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
        self._raise_pending()
        flags = torch.empty(bad.shape, dtype=torch.bool, pin_memory=True)
        flags.copy_(bad, non_blocking=True)
        arrived = torch.cuda.Event()
        arrived.record()
        self._pending = flags, arrived, error

    def _raise_pending(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            flags, arrived, error = pending
            arrived.synchronize()
            _raise_if_any(flags, error, ' in the previous training step')


def _raise_if_any(bad: Tensor, error: Callable[[Tensor, str], Exception], when: str) -> None:
    if bad.any():
        raise error(bad, when)
