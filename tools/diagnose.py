"""Does mining have anything to do in my training? Train for an epoch and measure.

python tools/diagnose.py configs/yolov2-tiny_kitti.py

Prints who carries the gradient of the objectness (of the classes, in SSD) at the beginning and at
the end: positives, hard negatives (among the hardest share K of the priors) and easy ones, which
Loss Rank Mining takes out of the step; and how many positives it would take out with them.
"""

import argparse
import json
import sys
from pathlib import Path

from mmengine.config import Config

from mmdet_lrm.launch import DictAction, config_path, require_data, require_file
from mmdet_lrm.mining.diagnosis import stages, table, verdict
from mmdet_lrm.study import runs
from mmdet_lrm.study.tables import write_records


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
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
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = parser.parse_args(arguments)
    for key in ('epochs', 'interval'):
        if getattr(args, key) < 1:
            parser.error(f'--{key} is {getattr(args, key)}; it must be at least 1')
    return args


def main() -> None:
    args = parse_args()
    require_file('config', config_path(args.config))
    config = Config.fromfile(config_path(args.config))
    config.merge_from_dict(args.cfg_options or {})
    runs.require_epochs(config, args.config)
    require_data(config, 'train_dataloader')
    hooks = [*config.get('custom_hooks', [])]
    config.custom_hooks = [*hooks, dict(type='MiningDiagnosisHook', interval=args.interval)]
    # The schedule of the whole training, of which the first epochs are run, without evaluation.
    config.train_cfg.update(max_epochs=args.epochs, val_interval=args.epochs + 1)
    config.default_hooks.logger.interval = args.interval
    name = Path(args.config).stem
    record = runs.train(name, config, runs.run_dir(name, config, args.work_dir))
    if not record['diagnosis']:
        sys.exit('error: nothing was measured; give an --interval below the number of iterations')
    print(f'\n{table(record["diagnosis"])}\n{verdict(record["diagnosis"])}')
    if args.record:
        keep(args, config, record)


def keep(args: argparse.Namespace, config: Config, record: dict) -> None:
    """Put the measurements among the records of a file, in place of an older one of this label."""
    name = Path(args.config).stem
    label = args.label or name
    means = {
        f'{stage}/{key}': runs.kept(value, 4)
        for stage, values in stages(record['diagnosis']).items()
        for key, value in values.items()
    }
    how = ('commit', 'versions', 'hardware', 'minutes', 'memory_mb', 'memory_of')
    new = dict(
        label=label,
        baseline=None,
        config=name,
        seed=config.randomness.seed,
        common={key: repr(value) for key, value in (args.cfg_options or {}).items()},
        epochs=args.epochs,
        **{key: record[key] for key in how},
        metrics=means,
        diagnosis=record['diagnosis'],
    )
    records = json.loads(args.record.read_text()) if args.record.exists() else []
    labels = [each['label'] for each in records]
    if label in labels:
        records[labels.index(label)] = new
    else:
        records.append(new)
    write_records(records, args.record)
    print(f'\nRecorded as {label} in {args.record}')


if __name__ == '__main__':
    runs.interruptible(main)
