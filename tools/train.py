"""Trains the detector of a config: on the GPU if there is one, else on the CPU.

python tools/train.py configs/yolov2_lrm_kitti.py
"""

import installed  # noqa: F401
from mmengine.runner import Runner

from mmdet_lrm import launch
from mmdet_lrm.training.lock import lock_run


def main() -> None:
    args = launch.training_parser().parse_args()
    cfg = launch.training_config(args)
    launch.require_parts(cfg)
    launch.check_data(cfg, 'train_dataloader', 'val_dataloader')
    runner = Runner.from_cfg(cfg)
    launch.leave_out_parameters(runner.logger)
    with lock_run(runner.work_dir):
        runner.train()


if __name__ == '__main__':
    launch.program(main, goes_on='the same command with --resume goes on from the last checkpoint')
