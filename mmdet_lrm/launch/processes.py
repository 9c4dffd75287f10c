"""Distributed runs without a GPU, which MMEngine's launchers do not know."""

import os

from mmengine.config import Config
from mmengine.device import get_device
from torch import distributed

from ..errors import LaunchError


def join_without_gpu(cfg: Config) -> None:
    """Join the processes of a distributed run by gloo, if there is no GPU; wrap the model for it.

    MMEngine's Runner leaves a group of processes that it finds as it is.
    """
    if cfg.launcher == 'none' or get_device() != 'cpu':
        return
    if cfg.launcher != 'pytorch':
        raise LaunchError(
            f"--launcher {cfg.launcher} needs a GPU for each process (MMEngine's launchers know no "
            'other), and PyTorch sees none here; start the processes with torchrun, as '
            'dist_train.sh does, to use the CPU'
        )
    if 'RANK' not in os.environ:
        raise LaunchError(
            '--launcher pytorch is for processes that torchrun started, as dist_train.sh does'
        )
    distributed.init_process_group('gloo')
    if distributed.get_rank() == 0:
        count = distributed.get_world_size()
        print(f'PyTorch sees no GPU: {count} processes on the CPU, joined by gloo', flush=True)
    cfg.setdefault('model_wrapper_cfg', {}).setdefault('device_ids', None)
    cfg.model_wrapper_cfg.setdefault('broadcast_buffers', False)
    cfg.model_wrapper_cfg.setdefault(
        'find_unused_parameters', cfg.get('find_unused_parameters', False)
    )
