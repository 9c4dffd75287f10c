"""Pictures of recorded runs: differences, learning curves, who carries the gradient.

Of each kind one function gives the numbers, in percent, and one draws them and returns the figure,
or None where the records have nothing to show. :func:`png` makes a file of a figure.
"""

import io
import textwrap
from collections.abc import Sequence
from itertools import cycle
from typing import NamedTuple

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter

from ..mining.diagnosis import GROUPS
from .records import Record
from .statistics import Difference
from .tables import baseline_of, by_label, differences, percent, values

# Okabe and Ito's colours, which the colour-blind can tell apart (jfly.uni-koeln.de/color).
BLUE, ORANGE, GREEN = '#0072B2', '#E69F00', '#009E73'
RED, SKY, PURPLE = '#D55E00', '#56B4E9', '#CC79A7'
GREY = '#888888'
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, 'black')
OF_GROUP = dict(zip(GROUPS, (GREEN, RED, '#BBBBBB'), strict=True))
NAME_OF_GROUP = dict(zip(GROUPS, ('positives', 'hard negatives', 'easy negatives'), strict=True))
OF_RATIO = (SKY, BLUE, PURPLE, 'black', ORANGE)  # other than those of the groups, beside it
WIDTH = 7.0  # inches: the text of a page with two columns
BENEATH = 0.22  # rows: seeds lie beneath their mean, which would hide them
STYLE = {
    'font.size': 9,
    'axes.titlesize': 9,
    'legend.fontsize': 8,
    'legend.frameon': False,
    'figure.constrained_layout.use': True,
    'axes.prop_cycle': cycler(linestyle=['-', '--', ':', '-.']) * cycler(color=COLOURS),
}
as_percent = FuncFormatter(lambda value, _: f'{value:g} %')


def png(figure: Figure, dpi: int = 150) -> bytes:
    """The same bytes for the same figure."""
    file = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(file, format='png', dpi=dpi, metadata={'Software': None})
    return file.getvalue()


class DifferenceRow(NamedTuple):
    """Of a variant to its baseline."""

    label: str
    difference: Difference
    by_seed: list[float]


def difference_rows(records: Sequence[Record], name: str) -> list[DifferenceRow]:
    """Differences in a metric, with the difference of each seed that both methods have."""
    methods = by_label(records)
    rows = []
    for label, difference in differences(methods, name).items():
        runs, baseline = methods[label], methods[baseline_of(methods[label])]
        seeds = sorted(runs.keys() & baseline.keys())
        pairs = zip(values(runs, name, seeds), values(baseline, name, seeds), strict=True)
        rows.append(DifferenceRow(label, difference, [ours - theirs for ours, theirs in pairs]))
    return rows


@matplotlib.rc_context(STYLE)
def draw_differences(records: Sequence[Record], name: str) -> Figure | None:
    """Each variant's difference to its baseline in a metric, with its interval, and each seed's."""
    rows = difference_rows(records, name)
    if not rows:
        return None
    figure = Figure(figsize=(WIDTH, 1.2 + 0.26 * len(rows)))
    axes = figure.subplots()
    axes.axvline(0, color='black', linewidth=0.8, zorder=0)
    for place, (_, change, by_seed) in enumerate(rows):
        if change.low is not None:
            axes.plot([change.low, change.high], [place, place], '-', color=BLUE, linewidth=2)
        axes.plot(change.mean, place, 'o', color=BLUE)
        axes.plot(by_seed, [place + BENEATH] * len(by_seed), '.', color=GREY)
    labels = [textwrap.fill(row.label, 44, break_long_words=False) for row in rows]
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(f'{name}: difference to the baseline, in percentage points')
    shown = [
        Line2D([], [], color=BLUE, marker='o', linewidth=2, label='mean and its 95 % interval'),
        Line2D([], [], color=GREY, marker='.', linestyle='', label='a seed'),
    ]
    figure.legend(handles=shown, loc='outside upper right', ncols=2)
    return figure


class Curve(NamedTuple):
    """Of a method by epoch: the mean over its seeds, and the range between them."""

    label: str
    epochs: list[int]
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def learning_curves(records: Sequence[Record], name: str) -> list[Curve]:
    """Of ``loss``, or of a metric in percent, at the epochs that all seeds of a method have."""
    curves = []
    for label, runs in by_label(records).items():
        columns = [run.losses if name == 'loss' else run.evaluations for run in runs.values()]
        series = [
            dict(zip(each['epoch'], each[name], strict=True)) if name in each else {}
            for each in columns
        ]
        epochs = sorted(set.intersection(*map(set, series)))
        if epochs:
            found = np.array([[each[epoch] for epoch in epochs] for each in series], dtype=float)
            found = found if name == 'loss' else percent(name, found)
            ends = found.min(axis=0), found.max(axis=0)
            curves.append(Curve(label, epochs, found.mean(axis=0), *ends))
    return curves


@matplotlib.rc_context(STYLE)
def draw_learning(records: Sequence[Record], name: str) -> Figure | None:
    """Loss and metric by epoch, as far as they are recorded."""
    panels = {each: curves for each in ('loss', name) if (curves := learning_curves(records, each))}
    if not panels:
        return None
    figure = Figure(figsize=(WIDTH, 2.8 + 0.1 * max(map(len, panels.values()))))
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, curves) in zip(all_axes, panels.items(), strict=True):
        for label, epochs, mean, low, high in curves:
            # A marker, since of a single epoch there is no line.
            (line,) = axes.plot(epochs, mean, marker='o', markersize=3, label=label)
            axes.fill_between(epochs, low, high, alpha=0.15, color=line.get_color(), linewidth=0)
        axes.set(xlabel='epoch', title=title)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if title == 'loss':
            axes.set_yscale('log')
        else:
            axes.yaxis.set_major_formatter(as_percent)
    figure.legend(*axes.get_legend_handles_labels(), loc='outside lower center', ncols=2)
    return figure


class Shares(NamedTuple):
    """Of the gradient of a training, in percent, by iteration."""

    label: str
    steps: list[int]
    ratio: str
    """The diagnosed K nearest to a quarter, by which hard is told from easy in ``groups``."""
    groups: dict[str, np.ndarray]
    easy: dict[str, np.ndarray]
    """By K, what mining with it would take out."""
    missed: dict[str, np.ndarray]
    """By K, the positives outside of it; NaN in a step without positives."""


def gradient_shares(records: Sequence[Record]) -> list[Shares]:
    """Of each baseline's first training that was diagnosed."""
    found = []
    for record in first_diagnosed([record for record in records if record.baseline is None]):
        columns = {key: 100 * np.array(each, float) for key, each in record.diagnosis.items()}
        ratios = ratios_of(record)
        middle = min(ratios, key=lambda ratio: abs(float(ratio) - 0.25))
        groups = {group: columns[f'{middle}/gradient/{group}'] for group in GROUPS}
        easy = {ratio: columns[f'{ratio}/gradient/easy'] for ratio in ratios}
        missed = {ratio: columns[f'{ratio}/missed'] for ratio in ratios}
        steps = record.diagnosis['iter']
        found.append(Shares(record.label, steps, middle, groups, easy, missed))
    return found


def first_diagnosed(records: Sequence[Record]) -> list[Record]:
    """Of each method the first training that was diagnosed."""
    first: dict[str, Record] = {}
    for record in records:
        if record.diagnosis:
            first.setdefault(record.label, record)
    return list(first.values())


def ratios_of(record: Record) -> list[str]:
    """Every K that was diagnosed, as the keys spell it."""
    return list(dict.fromkeys(key.split('/')[0] for key in record.diagnosis if '/' in key))


@matplotlib.rc_context(STYLE)
def draw_diagnosis(records: Sequence[Record], name: str) -> Figure | None:
    """Who carries the gradient in the training of each baseline's first seed.

    On the left the shares, with the hardest quarter told from the rest; on the right what mining
    with each K would take out, and, dashed, the positives that it would drop.
    """
    found = gradient_shares(records)
    if not found:
        return None
    figure = Figure(figsize=(WIDTH, 0.8 + 2.1 * len(found)))
    for pair, shares in zip(figure.subplots(len(found), 2, squeeze=False), found, strict=True):
        _draw_groups(pair[0], shares)
        _draw_ratios(pair[1], shares)
    for axes in pair:
        axes.set_xlabel('iteration')
    areas, names = pair[0].get_legend_handles_labels()
    lines, ratios = pair[1].get_legend_handles_labels()
    dashed = Line2D([], [], color=GREY, linestyle='--')
    labels = [*names, *ratios, 'positives outside K']
    figure.legend([*areas, *lines, dashed], labels, loc='outside lower center', ncols=4)
    return figure


def _draw_groups(axes: Axes, shares: Shares) -> None:
    colours, labels = OF_GROUP.values(), NAME_OF_GROUP.values()
    axes.stackplot(shares.steps, shares.groups.values(), labels=labels, colors=colours)
    axes.set(ylim=(0, 100), xlim=(shares.steps[0], shares.steps[-1]))
    axes.set_title(shares.label, loc='left')
    axes.set_ylabel(f'gradient, K = {_in_percent(shares.ratio)}')
    axes.yaxis.set_major_formatter(as_percent)


def _draw_ratios(axes: Axes, shares: Shares) -> None:
    for (ratio, easy), colour in zip(shares.easy.items(), cycle(OF_RATIO), strict=False):
        axes.plot(shares.steps, easy, '-', color=colour, label=f'K = {_in_percent(ratio)}')
        axes.plot(shares.steps, shares.missed[ratio], '--', color=colour)
    axes.set_ylabel('easy negatives outside K')
    axes.set_yscale('symlog', linthresh=1)
    # A little below 0, where a dashed line would lie on the frame.
    axes.set(ylim=(-0.1, 100), xlim=(shares.steps[0], shares.steps[-1]))
    axes.yaxis.set_major_locator(FixedLocator([0, 1, 10, 100]))
    axes.yaxis.set_major_formatter(as_percent)


def _in_percent(ratio: str) -> str:
    return f'{100 * float(ratio):g} %'


class Line(NamedTuple):
    """Of a method, in percent, by iteration."""

    label: str
    steps: list[int]
    values: np.ndarray


def background_lines(records: Sequence[Record]) -> tuple[str, list[Line]]:
    """The smallest K that was diagnosed in all methods, and the easy negatives outside of it."""
    found = first_diagnosed(records)
    common = set.intersection(*(set(ratios_of(record)) for record in found)) if found else set()
    if not common:
        return '', []
    smallest = min(common, key=float)
    key = f'{smallest}/gradient/easy'
    diagnoses = [(record.label, record.diagnosis) for record in found]
    return smallest, [Line(name, d['iter'], 100 * np.array(d[key], float)) for name, d in diagnoses]


@matplotlib.rc_context(STYLE)
def draw_background(records: Sequence[Record], name: str) -> Figure | None:
    """What mining leaves to itself: the gradient of easy negatives in each method's first training.

    Their share of the gradient of all priors, whether they train or not, outside the smallest K
    that was diagnosed.
    """
    ratio, lines = background_lines(records)
    if not lines:
        return None
    figure = Figure(figsize=(WIDTH, 2.8 + 0.1 * len(lines)))
    axes = figure.subplots()
    for line in lines:
        axes.plot(line.steps, line.values, label=line.label)
    axes.set(xlabel='iteration', ylim=(0, 100))
    axes.set_ylabel(f'gradient outside K = {_in_percent(ratio)}')
    axes.yaxis.set_major_formatter(as_percent)
    figure.legend(loc='outside lower center', ncols=2)
    return figure


KINDS = {
    'differences': draw_differences,
    'learning': draw_learning,
    'diagnosis': draw_diagnosis,
    'background': draw_background,
}
