"""Does mining have anything to do in my training? Train for an epoch and measure.

python tools/diagnose.py configs/yolov2-tiny_kitti.py

Prints who carries the gradient of the objectness (of the classes, in SSD) at the beginning and at
the end: positives, hard negatives (among the hardest share K of the priors) and easy ones, which
Loss Rank Mining takes out of the step; and how many positives it would take out with them.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
import runs
from launch import DictAction, config_path, require_data, require_file
from mmengine.config import Config

from mmdet_lrm.benchmark.tables import write_records
from mmdet_lrm.diagnosis import GROUPS

# Below this share of the gradient a step with mining is the step without it, to rounding of what
# else varies between two trainings.
NEGLIGIBLE = 0.02
# Above this share of positives lost, mining forgets objects rather than background.
TOO_MANY_MISSED = 0.02


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
    rows = record['diagnosis']
    means = {
        f'{stage}/{key}': round(mean(part, key), 4)
        for stage, part in stages(rows).items()
        for key in rows[0]
        if '/' in key
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
        diagnosis=[runs.rounded(row) for row in rows],
    )
    records = json.loads(args.record.read_text()) if args.record.exists() else []
    labels = [each['label'] for each in records]
    if label in labels:
        records[labels.index(label)] = new
    else:
        records.append(new)
    write_records(records, args.record)
    print(f'\nRecorded as {label} in {args.record}')


def stages(rows: list[dict]) -> dict[str, list[dict]]:
    """The first and the last fifth of the measurements."""
    part = max(len(rows) // 5, 1)
    return {'beginning': rows[:part], 'end': rows[-part:]}


def mean(rows: list[dict], name: str) -> float:
    """Over the rows in which the value exists: a batch without objects misses none."""
    found = [row[name] for row in rows if not math.isnan(row[name])]
    return float(np.mean(found)) if found else float('nan')


def ratios(rows: list[dict]) -> list[str]:
    return list(dict.fromkeys(name.split('/')[0] for name in rows[0] if '/' in name))


def table(rows: list[dict]) -> str:
    lines = [
        '| stage | K | positives | hard negatives | easy negatives | positives outside K |',
        '| --- | ---: | ---: | ---: | ---: | ---: |',
    ]
    for stage, part in stages(rows).items():
        for ratio in ratios(rows):
            cells = [f'{100 * mean(part, f"{ratio}/gradient/{group}"):.1f}' for group in GROUPS]
            cells.append(f'{100 * mean(part, f"{ratio}/missed"):.1f}')
            lines.append(f'| {stage} | {100 * float(ratio):g} % | {" | ".join(cells)} |')
    return 'Share of the gradient, in percent:\n\n' + '\n'.join(lines) + '\n'


def verdict(rows: list[dict]) -> str:
    """What mining with each K could do from here on."""
    part = stages(rows)['end']
    lines = []
    for ratio in ratios(rows):
        easy, missed = mean(part, f'{ratio}/gradient/easy'), mean(part, f'{ratio}/missed')
        if easy < NEGLIGIBLE:
            text = 'changes next to nothing: what it takes out carries no gradient'
        else:
            text = f'takes out {100 * easy:.0f} % of the gradient, all of it of easy background'
        if missed > TOO_MANY_MISSED:
            text += (
                f'; it would drop {100 * missed:.0f} % of the positives: set keep_positives=True'
            )
        lines.append(f'hard_ratio={ratio} {text}.')
    return '\n'.join(lines)


if __name__ == '__main__':
    runs.interruptible(main)
