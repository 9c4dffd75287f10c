"""What intervals of 95 % do on real trainings: a table of docs/intervals.md.

python tools/dev/resample_runs.py
    draws studies from the runs of results/bccd_itself.json and bccd_fewer_labels.json, and prints
python tools/dev/resample_runs.py --render
    writes the table into the document

The runs of bccd_itself are all of one method, with other seeds: any pairs of them differ by chance
alone, and an interval that excludes 0 misses. Those of bccd_fewer_labels are pairs of which one
trained without a tenth of the labels: an interval below 0 sees it.
"""

import argparse
from pathlib import Path

import numpy as np
from interval_methods import paired
from written_tables import put_table

from mmdet_lrm.study.records import Record, read_records

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / 'docs' / 'intervals.md'
NAME = 'drawn studies'
STUDIED = 'itself', 'fewer_labels'
METRICS = {'mAP': 'voc/mAP', 'AP of red cells': 'voc/RBC_AP'}
SEEDS = 3, 5, 8
STUDIES = 20_000
CONFIDENCE = 0.95


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--render', action='store_true', help='write the table into the document')
    args = parser.parse_args()
    made = table(*recorded())
    if args.render:
        put_table(NAME, made.splitlines(), DOCUMENT)
    else:
        print(made)


def recorded() -> list[list[Record]]:
    """Of each study, its runs."""
    return [read_records(ROOT / f'results/bccd_{name}.json') for name in STUDIED]


def table(itself: list[Record], fewer: list[Record]) -> str:
    """A row a number of seeds: percent of the drawn studies, by metric."""
    titles = [f'{what}, {metric}' for what in ('misses', 'sees the effect') for metric in METRICS]
    lines = [f'| seeds | {" | ".join(titles)} |', '| ---: |' + ' ---: |' * len(titles)]
    for seeds in SEEDS:
        cells = [misses(values(itself, name), seeds) for name in METRICS.values()]
        cells += [sees(differences(fewer, name), seeds) for name in METRICS.values()]
        lines.append(f'| {seeds} | {" | ".join(f"{100 * cell:.1f}" for cell in cells)} |')
    return '\n'.join(lines) + '\n'


def values(records: list[Record], metric: str) -> np.ndarray:
    return np.array([each.metrics[metric] for each in records])


def differences(records: list[Record], metric: str) -> np.ndarray:
    """Of each seed, the variant's value minus the baseline's."""
    parts = [
        [each for each in records if (each.baseline is None) is first] for first in (False, True)
    ]
    variant, baseline = (values(sorted(part, key=lambda each: each.seed), metric) for part in parts)
    return variant - baseline


def drawn(of: np.ndarray, number: int) -> np.ndarray:
    """(STUDIES, number) values, in each row without replacement, the same at every call."""
    rng = np.random.default_rng(number)
    return rng.permuted(np.tile(of, (STUDIES, 1)), axis=1)[:, :number]


def misses(of_one_method: np.ndarray, seeds: int) -> float:
    """Share of studies of so many pairs whose interval excludes 0."""
    taken = drawn(of_one_method, 2 * seeds)
    low, high = interval(taken[:, :seeds] - taken[:, seeds:])
    return float(np.mean((low > 0) | (high < 0)))


def sees(of_pairs: np.ndarray, seeds: int) -> float:
    """Share of studies of so many of the pairs whose interval lies below 0."""
    _, high = interval(drawn(of_pairs, seeds))
    return float(np.mean(high < 0))


def interval(differences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of that of each study, of (STUDIES, S)."""
    values = np.stack([np.zeros_like(differences), differences], axis=1)
    mean, half = differences.mean(axis=1), paired(values, CONFIDENCE)[:, 0]
    return mean - half, mean + half


if __name__ == '__main__':
    main()
