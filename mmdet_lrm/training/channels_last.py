"""The layout of feature maps in memory: the channels of a place side by side."""

import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keep the weights of convolutions, and so the feature maps, in torch's ``channels_last``.

    The mathematics stay; sums are added in another order. It pays where the maps are large and the
    channels few, and on GPUs under mixed precision; see docs/performance.md.
    Checkpoints are the same with it and without.
    """

    def before_run(self, runner: Runner) -> None:
        # In place, before weights are initialised or loaded: the optimizer has the parameters.
        runner.model.to(memory_format=torch.channels_last)
