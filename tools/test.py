"""Measures a checkpoint on the test data of a config.

python tools/test.py configs/yolov2_lrm_kitti.py work_dirs/yolov2_lrm_kitti/epoch_160.pth
"""

import installed  # noqa: F401
from mmdet.evaluation import DumpDetResults
from mmengine.runner import Runner

from mmdet_lrm import launch


def main() -> None:
    args = launch.testing_parser().parse_args()
    cfg = launch.testing_config(args)
    launch.require_parts(cfg)
    launch.check_data(cfg, 'test_dataloader')
    runner = Runner.from_cfg(cfg)
    if args.out is not None:
        runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=args.out))
    runner.test()


if __name__ == '__main__':
    launch.program(main)
