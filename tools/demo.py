"""Train the tiny YOLOv2 without and with Loss Rank Mining, some pairs of both; compare and draw.

python tools/demo.py                          on a data set that it draws itself
python tools/demo.py --data path/to/kitti     on KITTI, laid out by tools/prepare_kitti.py

What is finished is not repeated: run the same command again to go on where it was interrupted.
"""

import argparse
import os
from pathlib import Path

import installed  # noqa: F401
from mmengine.logging import MMLogger

from mmdet_lrm import launch
from mmdet_lrm.study.demo import SEEDS, Demo


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--data', type=Path, metavar='KITTI', help='a KITTI tree to train on')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/demo'), help='results go here')
    parser.add_argument('--seeds', type=int, default=SEEDS, help='trainings of each method')
    parser.add_argument('--epochs', type=int, help="in place of the schedule's own")
    parser.add_argument('--jobs', type=int, help='trainings at a time; as many as there are cores')
    parser.add_argument('--num-train', type=int, default=200, help='drawn images to train on')
    parser.add_argument('--num-val', type=int, default=60, help='drawn images to evaluate')
    args = parser.parse_args()
    for key in ('seeds', 'epochs', 'jobs'):
        if getattr(args, key) is not None and getattr(args, key) < 1:
            parser.error(f'--{key} is {getattr(args, key)}; it must be at least 1')
    # Models say how each of their layers is initialised, which here is told for every run.
    MMLogger.get_instance('demo', log_level='WARNING')
    demo = Demo(args.data, args.seeds, args.epochs, args.num_train, args.num_val)
    print(demo.run(args.out, args.jobs or min(os.cpu_count() or 1, 2 * args.seeds)))


if __name__ == '__main__':
    launch.program(main, goes_on='the same command goes on from the last finished epoch')
