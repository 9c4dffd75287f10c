"""The schedule of the mining."""

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from .element_loss import LRMElementLoss
from .lrm_loss import LRMLoss


@HOOKS.register_module()
class LRMScheduleHook(Hook):
    """Begin mining late, anneal it, or release it: every prior trains before ``begin``, the hard
    ones after ``end``, and between them the number kept falls linearly. In ``release`` it grows
    back to all of them.

    The state follows from the number of the iteration alone, so a resumed training goes on where
    it was. Without this hook mining is on from the first iteration.

    Args:
        begin: Epoch (or iteration) from which fewer than all priors are kept, >= 0.
        end: Epoch (or iteration) from which ``LRMLoss``'s own number is kept, >= ``begin``;
            None: at ``begin``, in one step.
        by_epoch: Whether all these are epochs, which may be fractions, or iterations.
        release: Epochs (or iterations) between which the number kept grows linearly from
            ``LRMLoss``'s own to all priors, the first >= ``end``; None: it never does.
    """

    def __init__(
        self,
        begin: float = 0,
        end: float | None = None,
        by_epoch: bool = True,
        release: tuple[float, float] | None = None,
    ) -> None:
        end = begin if end is None else end
        places = [0, begin, end, *(release or ())]
        if sorted(places) != places or len(places) not in (3, 5):
            raise ValueError(
                f'LRMScheduleHook has begin={begin}, end={end} and release={release}; they must '
                'satisfy 0 <= begin <= end <= release[0] <= release[1], in '
                f'{"epochs" if by_epoch else "iterations"}'
            )
        self.begin = begin
        self.end = end
        self.by_epoch = by_epoch
        self.release = release

    def before_train(self, runner: Runner) -> None:
        if not self._losses(runner):
            raise ValueError(
                'LRMScheduleHook is in custom_hooks, and the model has no LRMLoss and no '
                'LRMElementLoss that it could steer. Switch the mining on with '
                'model.bbox_head.lrm, or remove the hook'
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        now = runner.iter
        if self.by_epoch:
            now = now / len(runner.train_dataloader)
        for loss in self._losses(runner):
            loss.strength = self.strength(now)

    def strength(self, now: float) -> float:
        """0 before ``begin``, 1 from ``end`` on, linear between them; so back in ``release``."""
        released = _ramp(now, *self.release) if self.release else 0.0
        return _ramp(now, self.begin, self.end) - released

    @staticmethod
    def _losses(runner: Runner) -> list[LRMLoss | LRMElementLoss]:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        return [
            module for module in model.modules() if isinstance(module, LRMLoss | LRMElementLoss)
        ]


def _ramp(now: float, begin: float, end: float) -> float:
    """0 before ``begin``, 1 from ``end`` on, linear between them."""
    if now < begin:
        return 0.0
    return 1.0 if now >= end else (now - begin) / (end - begin)
