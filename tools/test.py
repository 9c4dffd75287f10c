"""Measures a checkpoint on the test data of a config.

python tools/test.py configs/yolov2_lrm_kitti.py work_dirs/yolov2_lrm_kitti/epoch_160.pth
"""

import argparse

import installed  # noqa: F401
from mmdet.engine.hooks.utils import trigger_visualization_hook
from mmdet.evaluation import DumpDetResults
from mmengine.runner import Runner

from mmdet_lrm.launch import (
    add_common_arguments,
    allow_mmengine_checkpoints,
    load_config,
    require_data,
    require_file,
)


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Test a detector')
    parser.add_argument('config', help='a config file, such as configs/yolov2_lrm_kitti.py')
    parser.add_argument('checkpoint', help='a checkpoint that training with this config wrote')
    parser.add_argument('--out', metavar='FILE.pkl', help='write all predictions to this pickle')
    parser.add_argument('--show', action='store_true', help='show each image with its detections')
    parser.add_argument(
        '--show-dir', help='write images with detections to WORK_DIR/TIMESTAMP/SHOW_DIR'
    )
    parser.add_argument('--wait-time', type=float, default=2, help='seconds each image is shown')
    add_common_arguments(parser)
    args = parser.parse_args(arguments)
    if args.out is not None and not args.out.endswith(('.pkl', '.pickle')):
        parser.error(f"--out is '{args.out}'; its name must end in .pkl or .pickle")
    return args


def main() -> None:
    args = parse_args()
    cfg = load_config(args)
    require_file('checkpoint', args.checkpoint)
    require_data(cfg, 'test_dataloader')
    cfg.load_from = args.checkpoint
    if args.show or args.show_dir:
        cfg = trigger_visualization_hook(cfg, args)
    allow_mmengine_checkpoints()
    runner = Runner.from_cfg(cfg)
    if args.out is not None:
        runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=args.out))
    runner.test()


if __name__ == '__main__':
    main()
