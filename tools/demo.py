"""Train the tiny YOLOv2 without and with Loss Rank Mining, compare both, draw what is mined.

python tools/demo.py                          on a data set that it draws itself
python tools/demo.py --data path/to/kitti     on KITTI, laid out by tools/prepare_kitti.py

What is finished is not repeated: run the same command again to go on where it was interrupted.
"""

import argparse
from pathlib import Path

import installed  # noqa: F401

from mmdet_lrm import launch
from mmdet_lrm.study.demo import Demo


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--data', type=Path, metavar='KITTI', help='a KITTI tree to train on')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/demo'), help='results go here')
    parser.add_argument('--seed', type=int, default=0, help='of the drawing and of both trainings')
    parser.add_argument('--epochs', type=int, help="in place of the schedule's own")
    parser.add_argument('--num-train', type=int, default=200, help='drawn images to train on')
    parser.add_argument('--num-val', type=int, default=60, help='drawn images to evaluate')
    args = parser.parse_args()
    if args.epochs is not None and args.epochs < 1:
        parser.error(f'--epochs is {args.epochs}; it must be at least 1')
    demo = Demo(args.data, args.seed, args.epochs, args.num_train, args.num_val)
    print(demo.run(args.out))


if __name__ == '__main__':
    launch.program(main, goes_on='the same command goes on from the last finished epoch')
