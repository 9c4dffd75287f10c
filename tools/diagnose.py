"""Does mining have anything to do in my training? Train for an epoch and measure.

python tools/diagnose.py configs/yolov2-tiny_kitti.py

Prints who carries the gradient of the objectness (of the classes, in SSD) at the beginning and at
the end: positives, hard negatives (among the hardest share K of the priors) and easy ones, which
Loss Rank Mining takes out of the step; and how many positives it would take out with them.
"""

import argparse
from pathlib import Path

import installed  # noqa: F401
from mmengine.logging import MMLogger

from mmdet_lrm import launch
from mmdet_lrm.mining.diagnosis import seen, table, verdict
from mmdet_lrm.study import plan, reading, records, runs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='a config, with or without lrm')
    parser.add_argument('--epochs', type=int, default=1)
    parser.add_argument('--interval', type=int, default=5, help='iterations between measurements')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/diagnosis'))
    parser.add_argument(
        '--record', type=Path, metavar='FILE.json', help='keep the measurements there, among others'
    )
    parser.add_argument('--label', help='of the record; without it the name of the config')
    parser.add_argument(
        '--cfg-options', nargs='+', action=launch.Settings, default={}, metavar='KEY=VALUE'
    )
    args = parser.parse_args()
    for key in ('epochs', 'interval'):
        if getattr(args, key) < 1:
            parser.error(f'--{key} is {getattr(args, key)}; it must be at least 1')
    # A model says in a page how each of its layers is initialised.
    MMLogger.get_instance('diagnosis', log_level='WARNING')
    study = reading.diagnose(args.config, args.cfg_options, args.epochs, args.interval, args.label)
    (record,) = runs.run_all(plan.check_start(plan.make_plan(study)), args.work_dir)
    measured = record.diagnosis
    print(f'\n{table(measured)}\n{seen(measured)}\n{verdict(measured)}')
    if args.record:
        records.put_record(record, args.record)
        print(f'\nRecorded as {record.label} in {args.record}')


if __name__ == '__main__':
    launch.program(main, goes_on='the same command goes on from the last finished epoch')
