"""Darknet's warm-up of the learning rate."""

from mmdet.registry import PARAM_SCHEDULERS
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler
from torch.optim import Optimizer


@PARAM_SCHEDULERS.register_module()
class BurnInLR(LRSchedulerMixin, _ParamScheduler):
    """The rate grows as a power of the iteration: ``lr * (i / end) ** power``, i = 1, 2, ...

    Darknet's ``burn_in`` (``get_current_rate`` of ``network.c``), whose power is 4.

    Args:
        optimizer: Whose rates are set.
        end: Iterations of the burn-in, at least 1.
        power: Of the growth.
        kwargs: ``last_step``, ``verbose`` of MMEngine's schedulers.
    """

    def __init__(self, optimizer: Optimizer, end: int, power: float = 4, **kwargs) -> None:
        if end < 1:
            raise ValueError(f'BurnInLR.end is {end}; it must be at least 1 iteration')
        self.power = power
        super().__init__(optimizer, begin=0, end=end, by_epoch=False, **kwargs)

    def _get_value(self) -> list[float]:
        share = min((self.last_step + 1) / self.end, 1)
        return [base * share**self.power for base in self.base_values]
