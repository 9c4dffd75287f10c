"""What a finished comparison says: its tables and plots in a folder, and a recommendation."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from ..training.files import write_whole
from . import plots, tables
from .records import Record, write_records
from .statistics import Difference

# The metric that decides, and the columns of the table, by what the evaluator calls its metrics.
COLUMNS = {
    'kitti/moderate_AP40': {
        'mean AP40': 'kitti/moderate_AP40',
        'easy': 'kitti/easy_AP40',
        'hard': 'kitti/hard_AP40',
        'Car': 'kitti/Car_moderate_AP40',
        'Pedestrian': 'kitti/Pedestrian_moderate_AP40',
        'Cyclist': 'kitti/Cyclist_moderate_AP40',
    },
    'coco/bbox_mAP': {
        'AP': 'coco/bbox_mAP',
        'AP50': 'coco/bbox_mAP_50',
        'small': 'coco/bbox_mAP_s',
        'medium': 'coco/bbox_mAP_m',
        'large': 'coco/bbox_mAP_l',
    },
    'voc/mAP': {'mAP': 'voc/mAP'},
    # Of trainings that are diagnosed and not evaluated.
    'end/0.25/gradient/easy': {
        'easy (last)': 'end/0.25/gradient/easy',
        'hard (last)': 'end/0.25/gradient/hard',
        'positives (last)': 'end/0.25/gradient/positives',
        'easy (first)': 'beginning/0.25/gradient/easy',
        'hard (first)': 'beginning/0.25/gradient/hard',
        'positives (first)': 'beginning/0.25/gradient/positives',
    },
}


# Percent. What no method reaches in the mean over seeds, none has learned.
LEARNED = 1.0


class Verdict(Enum):
    """On a difference to the baseline whose interval is widened for all that were compared."""

    GAIN = 'gain beyond chance'
    CHANCE = 'within chance'
    LOSS = 'loss beyond chance'
    ONE_SEED = 'one seed'
    NOTHING = 'nothing learned'


@dataclass(frozen=True)
class Recommendation:
    """The variant with the largest mean of a study, and whether to take it."""

    variant: str
    metric: str
    difference: Difference
    """Its interval is widened for the number of comparisons."""
    comparisons: int
    verdict: Verdict

    def __str__(self) -> str:
        if self.verdict is Verdict.NOTHING:
            return (
                f'Nothing was learned: in {self.metric} no method reaches {LEARNED:g} % in the '
                'mean, so nothing is compared. Train for more epochs, or look at the data '
                '(tools/browse_dataset.py)'
            )
        change = self.difference
        widened = f' (interval widened for {self.comparisons} comparisons)'
        advice = {
            Verdict.GAIN: 'Recommended.',
            Verdict.CHANCE: 'That is not more than chance gives: keep the baseline, or take more '
            f'seeds if a gain of {change.high or 0:.1f} would matter to you.',
            Verdict.LOSS: 'Nothing gains: keep the baseline.',
            Verdict.ONE_SEED: 'One seed gives no interval: take more before you choose.',
        }[self.verdict]
        return (
            f'Best of {self.comparisons} in {self.metric}: {self.variant}, '
            f'{tables.interval(change)}{widened if self.comparisons > 1 else ""}. {advice}'
        )


def columns(records: Sequence[Record]) -> dict[str, str]:
    """Titles and names of the records' own metrics, the one that decides first.

    Raises:
        ReportError: the metric of the study is none of theirs.
    """
    metrics, decides = records[0].metrics, records[0].metric
    name = next((name for name in COLUMNS if name in metrics), next(iter(metrics)))
    shown = {title: key for title, key in COLUMNS.get(name, {name: name}).items() if key in metrics}
    if name == 'voc/mAP':
        classes = [key for key in metrics if key.endswith('_AP')]
        shown |= {key.removeprefix('voc/').removesuffix('_AP'): key for key in classes}
    if decides and decides not in metrics:
        raise tables.ReportError(
            f"the study's metric is '{decides}', and what was evaluated is {', '.join(metrics)}"
        )
    first = {title: key for title, key in shown.items() if key == decides}
    return (first or ({decides: decides} if decides else {})) | shown


def widened(records: Sequence[Record], name: str) -> dict[str, Difference]:
    """Differences to the baseline whose intervals of 95 % hold together, by Bonferroni.

    The 5 % are divided among all variants, since the best of many is partly the luckiest.
    """
    methods = tables.by_label(records)
    number = sum(tables.baseline_of(runs) is not None for runs in methods.values())
    return tables.differences(methods, name, confidence=1 - 0.05 / max(number, 1))


def verdict(change: Difference) -> Verdict:
    """Whether 0 lies outside of the interval, and on which side it does."""
    if change.low is None:
        return Verdict.ONE_SEED
    if change.low > 0:
        return Verdict.GAIN
    return Verdict.LOSS if change.high < 0 else Verdict.CHANCE


def recommendation(records: Sequence[Record], name: str) -> Recommendation | None:
    """The best variant in a metric; None if nothing is compared, or only diagnosed.

    A variant whose metric is not defined is never the best.
    """
    found = widened(records, name)
    if not found or records[0].only_diagnosed:
        return None
    best = max(found, key=lambda label: np.nan_to_num(found[label].mean, nan=-np.inf))
    means = [
        np.mean(tables.values(runs, name, sorted(runs)))
        for runs in tables.by_label(records).values()
    ]
    learned = np.nanmax(means) >= LEARNED
    decided = verdict(found[best]) if learned else Verdict.NOTHING
    return Recommendation(best, name, found[best], len(found), decided)


def write(records: Sequence[Record], folder: Path, compared: Sequence[str]) -> str:
    """``table.md``, ``table.csv``, the records, and a picture for each kind of plot that says more.

    Args:
        records: of one study, finished.
        folder: where they go; it is made.
        compared: keys of the config in which methods differ.

    Returns:
        What to print: the table and the recommendation.
    """
    shown = columns(records)
    name = next(iter(shown.values()))
    table = tables.markdown(records, shown)
    folder.mkdir(parents=True, exist_ok=True)
    write_records(records, folder / 'records.json')
    write_whole(folder / 'table.md', table)
    write_whole(folder / 'table.csv', tables.comma_separated(records))
    for kind, draw in plots.KINDS.items():
        figure = draw(records, name)
        if figure is not None:
            write_whole(folder / f'{kind}.png', plots.png(figure))
    best = recommendation(records, name)
    return (
        'In percent: mean and standard deviation over seeds; difference to the baseline with its '
        f'95 % interval. Compared: {", ".join(compared)}.\n\n{table}'
        + (f'\n{best}\n' if best else '')
    )
