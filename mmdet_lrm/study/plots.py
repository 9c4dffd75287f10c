"""Pictures of recorded runs: differences, learning curves, precision over recall."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

from ..mining.diagnosis import GROUPS
from .tables import by_label, differences, percent, values

matplotlib.use('Agg')
from matplotlib import pyplot


def plot_differences(records: Sequence[dict], name: str, path: Path) -> None:
    """Each variant's difference to its baseline in a metric, with its interval, and each seed's."""
    methods = by_label(records)
    changes = differences(methods, name)
    labels = [textwrap.fill(label, 44, break_long_words=False) for label in changes]
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.4 * len(changes)), layout='constrained')
    for row, (label, (change, _)) in enumerate(changes.items()):
        runs = methods[label]
        baseline = methods[next(iter(runs.values()))['baseline']]
        if change.low is not None:
            axes.plot([change.low, change.high], [row, row], color='tab:blue', linewidth=2)
        seeds = sorted(runs.keys() & baseline.keys())
        each = np.subtract(values(runs, name, seeds), values(baseline, name, seeds))
        axes.plot(each, [row] * len(each), '.', color='tab:grey')
        axes.plot(change.mean, row, 'o', color='tab:blue')
    axes.axvline(0, color='black', linewidth=0.8)
    axes.set_yticks(range(len(changes)), labels, fontsize='small')
    axes.invert_yaxis()
    axes.set_xlabel(f'{name} in percent,\ndifference to the baseline')
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def plot_learning(records: Sequence[dict], name: str, path: Path) -> None:
    """Loss and metric by epoch: the mean over seeds, and the range between them."""
    figure, panels = pyplot.subplots(1, 2, figsize=(10, 4), layout='constrained')
    for label, runs in by_label(records).items():
        for axes, rows, key in zip(panels, ('losses', 'evaluations'), ('loss', name), strict=True):
            series = [
                {row['epoch']: row[key] for row in run.get(rows, []) if key in row}
                for run in runs.values()
            ]
            epochs = sorted(set.intersection(*map(set, series)))
            if not epochs:
                continue
            found = np.array([[each[epoch] for epoch in epochs] for each in series])
            if key == name:
                found = percent(name, 1.0) * found
            axes.plot(epochs, found.mean(axis=0), label=label)
            axes.fill_between(epochs, found.min(axis=0), found.max(axis=0), alpha=0.15)
    panels[0].set(xlabel='epoch', ylabel='training loss', yscale='log')
    panels[1].set(xlabel='epoch', ylabel=f'{name} in percent')
    panels[1].legend(fontsize='small')
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def plot_precision(records: Sequence[dict], name: str, path: Path) -> None:
    """Precision over recall by class: the mean over seeds."""
    methods = by_label(records)
    curves = {
        label: [run['curves'] for run in runs.values() if 'curves' in run]
        for label, runs in methods.items()
    }
    classes = list(
        dict.fromkeys(name for found in curves.values() for one in found for name in one)
    )
    if not classes:
        return
    figure, panels = pyplot.subplots(
        1, len(classes), figsize=(4 * len(classes), 3.6), layout='constrained', squeeze=False
    )
    for axes, name in zip(panels[0], classes, strict=True):
        for label, found in curves.items():
            precision = np.mean([one[name] for one in found], axis=0)
            axes.plot(np.linspace(0, 1, len(precision)), precision, label=label)
        axes.set(title=name, xlabel='recall', ylabel='precision', xlim=(0, 1), ylim=(0, 1))
    panels[0, -1].legend(fontsize='small')
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def plot_diagnosis(records: Sequence[dict], name: str, path: Path) -> None:
    """Who carries the gradient, by iteration, in the training of each baseline's first seed.

    On the left the shares, with the hardest quarter told from the rest; on the right what mining
    with each K would take out, and, dashed, the positives that it would drop.
    """
    first = {}
    for record in records:
        if record['baseline'] is None and record.get('diagnosis'):
            first.setdefault(record['label'], record)
    if not first:
        return
    figure, panels = pyplot.subplots(
        len(first), 2, figsize=(10, 3.6 * len(first)), layout='constrained', squeeze=False
    )
    for (left, right), record in zip(panels, first.values(), strict=True):
        percents = {
            key: 100 * np.array(column, dtype=float) for key, column in record['diagnosis'].items()
        }
        steps = record['diagnosis']['iter']
        ratios = list(dict.fromkeys(key.split('/')[0] for key in percents if '/' in key))
        middle = min(ratios, key=lambda ratio: abs(float(ratio) - 0.25))
        series = [percents[f'{middle}/gradient/{group}'] for group in GROUPS]
        colours = ('tab:green', 'tab:red', 'tab:grey')
        labels = ('positives', 'hard negatives', 'easy negatives')
        left.stackplot(steps, series, labels=labels, colors=colours, alpha=0.7)
        left.set_title(record['label'], fontsize='medium')
        left.set(xlabel='iteration', ylabel='percent of the gradient', ylim=(0, 100))
        left.legend(fontsize='small', loc='upper right')
        for ratio in ratios:
            easy = percents[f'{ratio}/gradient/easy']
            (line,) = right.plot(steps, easy, label=f'K = {100 * float(ratio):g} %')
            right.plot(steps, percents[f'{ratio}/missed'], '--', color=line.get_color())
        right.set_title('easy negatives (dashed: positives outside K)', fontsize='medium')
        right.set(xlabel='iteration', ylabel='percent', yscale='symlog', ylim=(0, 100))
        right.legend(fontsize='small')
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def plot_background(records: Sequence[dict], name: str, path: Path) -> None:
    """What mining leaves to itself: the gradient of easy negatives in each method's first training.

    Their share of the gradient of all priors, whether they train or not, outside the smallest K
    that was diagnosed.
    """
    first = {}
    for record in records:
        if record.get('diagnosis'):
            first.setdefault(record['label'], record['diagnosis'])
    if not first:
        return
    figure, axes = pyplot.subplots(figsize=(8, 4), layout='constrained')
    for label, diagnosis in first.items():
        ratio = min((key.split('/')[0] for key in diagnosis if '/' in key), key=float)
        share = 100 * np.array(diagnosis[f'{ratio}/gradient/easy'], dtype=float)
        axes.plot(diagnosis['iter'], share, label=label)
        axes.set_ylabel(f'percent of the gradient outside K = {100 * float(ratio):g} %')
    axes.set(xlabel='iteration', ylim=(0, 100))
    axes.legend(fontsize='small')
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


KINDS = {
    'differences': plot_differences,
    'learning': plot_learning,
    'precision': plot_precision,
    'diagnosis': plot_diagnosis,
    'background': plot_background,
}
