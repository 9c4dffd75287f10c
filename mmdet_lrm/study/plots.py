"""Pictures of recorded runs: differences, learning curves, errors, who carries the gradient.

Of each kind one function gives the numbers, in percent, and one draws them and returns the figure,
or None where the records have nothing to show. :func:`png` makes a file of a figure.
"""

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
from matplotlib.ticker import FixedLocator, FuncFormatter, LogFormatter

from ..colours import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY
from ..mining import pictures
from ..mining.diagnosis import GROUPS, OWN, ratios
from . import names
from .errors import CROWDS
from .records import Record
from .statistics import Difference
from .tables import baseline_of, by_label, differences, percent, values

COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, 'black')
AREAS = (pictures.POSITIVE, pictures.HARD, '#BBBBBB')  # of GROUPS
OF_RATIO = (SKY, GREEN, PURPLE, 'black', ORANGE)  # other than those of the groups, beside it
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
    """The same bytes for the same figure, in the style that it was drawn in."""
    with matplotlib.rc_context(STYLE):
        return pictures.png(figure, dpi)


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
    labels = [textwrap.fill(names.method(row.label), 44, break_long_words=False) for row in rows]
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(lambda value, _: f'{value:+g}' if value else '0')
    axes.set_xlabel(f'{names.metric(name)}: difference to the baseline, in percentage points')
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
def draw_learning(records: Sequence[Record], name: str, only: str | None = None) -> Figure | None:
    """Loss and metric by epoch, as far as they are recorded, or one of them."""
    panels = {
        each: curves
        for each in ([only] if only else ('loss', name))
        if (curves := learning_curves(records, each))
    }
    if not panels:
        return None
    figure, all_axes = side_by_side(len(panels), len(by_label(records)))
    for axes, (title, curves) in zip(all_axes, panels.items(), strict=True):
        for label, epochs, mean, low, high in curves:
            # A marker, since of a single epoch there is no line.
            (line,) = axes.plot(epochs, mean, marker='o', markersize=3, label=names.method(label))
            band = dict(alpha=0.15, color=line.get_color())
            if len(epochs) > 1:
                axes.fill_between(epochs, low, high, linewidth=0, **band)
            else:
                axes.vlines(epochs, low, high, linewidth=4, **band)
        # From the start, where only the end was evaluated.
        last = max(epoch for each in curves for epoch in each.epochs)
        axes.set(xlabel='epoch', title=names.metric(title), xlim=(0.5, last + 0.5))
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        if title == 'loss':
            axes.set_yscale('log')
            axes.yaxis.set_major_formatter(LogFormatter())
            axes.yaxis.set_minor_formatter(LogFormatter())
        else:
            axes.yaxis.set_major_formatter(as_percent)
    handles = axes.get_legend_handles_labels()
    figure.legend(*handles, loc='outside lower center', ncols=len(panels))
    return figure


def side_by_side(number: int, methods: int) -> tuple[Figure, Sequence[Axes]]:
    """Panels of half a page's width, and room for a legend of methods in as many columns."""
    figure = Figure(figsize=(WIDTH / 2 * number, 2.8 + 0.2 * methods / number))
    return figure, [*figure.subplots(1, number, squeeze=False).flat]


class Diagnosis(NamedTuple):
    """Of a training, by iteration."""

    label: str
    steps: list[int]
    ratios: list[str]
    """Every K that was diagnosed, as the columns spell it."""
    columns: dict[str, np.ndarray]
    """In percent: ``K/gradient/GROUP`` of the gradient, ``K/missed`` of the positives; and with
    ``OWN`` for K what the training itself kept, if it mined."""


def first_diagnoses(records: Sequence[Record]) -> list[Diagnosis]:
    """Of each method, the first training that was diagnosed."""
    found: dict[str, Diagnosis] = {}
    for record in records:
        if record.diagnosis and record.label not in found:
            steps = record.diagnosis['iter']
            columns = {key: 100 * np.array(each, float) for key, each in record.diagnosis.items()}
            found[record.label] = Diagnosis(record.label, steps, ratios(columns), columns)
    return list(found.values())


def nearest_to_quarter(ratios: Sequence[str]) -> str:
    """The K by which hard is told from easy."""
    return min(ratios, key=lambda ratio: abs(float(ratio) - 0.25))


def smallest_in_all(found: Sequence[Diagnosis]) -> str:
    """The smallest K that all trainings have."""
    return min(set.intersection(*(set(each.ratios) for each in found)), key=float)


@matplotlib.rc_context(STYLE)
def draw_diagnosis(records: Sequence[Record], name: str) -> Figure | None:
    """Who carries the gradient in the training of each baseline's first seed.

    On the left the shares, with the hardest quarter told from the rest; on the right what mining
    with each K would take out: the gradient of the easy, and, dashed, positives.
    """
    found = first_diagnoses([record for record in records if record.baseline is None])
    if not found:
        return None
    figure = Figure(figsize=(WIDTH, 0.8 + 2.1 * len(found)))
    for pair, each in zip(figure.subplots(len(found), 2, squeeze=False), found, strict=True):
        _draw_groups(pair[0], each)
        _draw_ratios(pair[1], each)
    for axes in pair:
        axes.set_xlabel('iteration')
    areas, groups = pair[0].get_legend_handles_labels()
    lines, ratios = pair[1].get_legend_handles_labels()
    kinds = [Line2D([], [], color=GREY, linestyle=style) for style in ('-', '--')]
    labels = [*groups, *ratios, 'of the gradient', 'of the positives']
    figure.legend([*areas, *lines, *kinds], labels, loc='outside lower center', ncols=3)
    return figure


def _draw_groups(axes: Axes, of: Diagnosis) -> None:
    middle = nearest_to_quarter(of.ratios)
    series = [of.columns[f'{middle}/gradient/{group}'] for group in GROUPS]
    labels = ['objects', f'background, hardest {_percent(middle)}', 'easy background']
    axes.stackplot(of.steps, series, labels=labels, colors=AREAS)
    axes.set(ylim=(0, 100), xlim=_ends(of.steps))
    axes.set_title(names.method(of.label), loc='left')
    axes.set_ylabel('share of the gradient')
    axes.yaxis.set_major_formatter(as_percent)


def _draw_ratios(axes: Axes, of: Diagnosis) -> None:
    for ratio, colour in zip(of.ratios, cycle(OF_RATIO), strict=False):
        easy, missed = of.columns[f'{ratio}/gradient/easy'], of.columns[f'{ratio}/missed']
        # A marker, since of a single measurement there is no line.
        marker = 'o' if len(of.steps) == 1 else None
        axes.plot(of.steps, easy, '-', color=colour, marker=marker, label=f'K = {_percent(ratio)}')
        axes.plot(of.steps, missed, '--', color=colour, marker=marker)
    axes.set_ylabel('taken out')
    axes.set_yscale('symlog', linthresh=1)
    # A little below 0, where a dashed line would lie on the frame.
    axes.set(ylim=(-0.1, 100), xlim=_ends(of.steps))
    axes.yaxis.set_major_locator(FixedLocator([0, 1, 10, 100]))
    axes.yaxis.set_major_formatter(as_percent)


def _percent(ratio: str) -> str:
    return f'{100 * float(ratio):g} %'


def _ends(steps: Sequence[int]) -> tuple[int, int]:
    """Of an axis, wide enough for a single step."""
    return steps[0], max(steps[-1], steps[0] + 1)


@matplotlib.rc_context(STYLE)
def draw_background(records: Sequence[Record], name: str) -> Figure | None:
    """What mining leaves to itself: the gradient of easy negatives in each method's first training.

    Their share of the gradient of all priors, whether they train or not, outside the smallest K
    that was diagnosed in all; dashed, outside of what the training itself kept.
    """
    found = first_diagnoses(records)
    if not found:
        return None
    figure = Figure(figsize=(WIDTH, 2.8 + 0.1 * len(found)))
    axes = figure.subplots()
    ratio = smallest_in_all(found)
    for each in found:
        easy, marker = each.columns[f'{ratio}/gradient/easy'], 'o' if len(each.steps) == 1 else None
        label = names.method(each.label)
        (line,) = axes.plot(each.steps, easy, '-', marker=marker, label=label)
        own = each.columns.get(f'{OWN}/gradient/easy')
        if own is not None:
            style = dict(color=line.get_color(), marker=marker, linestyle='--')
            axes.plot(each.steps, own, label=f'{label}: what it leaves out', **style)
    axes.set(xlabel='iteration', ylim=(0, 100))
    axes.set_ylabel(f'share of the gradient of\nbackground beyond K = {_percent(ratio)}')
    axes.yaxis.set_major_formatter(as_percent)
    figure.legend(loc='outside lower center', ncols=2)
    return figure


# --- errors ---------------------------------------------------------------------------------------

OF_ERROR = {
    'localisation': 'localisation',
    'class': 'class',
    'both': 'class and localisation',
    'duplicate': 'duplicate',
    'background': 'background',
    'between': 'between objects',
    'missed': 'missed',
}
OF_ERRORS = {'count': 'errors for 100 objects', 'gain': 'mean AP gained without'}
RARE = 0.001  # share of the objects of a class, up to which its AP is that of an object or two
MARKERS = 'osD^vPX'  # of methods, so that they are told apart without their colours


def error_values(records: Sequence[Record], kind: str) -> dict[str, dict[str, list[float]]]:
    """In percent, by method and error the values of its seeds, of 'count' or of 'gain'."""
    names_of = [f'errors/{kind}/{error}' for error in OF_ERROR]
    return {
        label: {
            name.rpartition('/')[2]: values(runs, name, sorted(runs))
            for name in names_of
            if name in next(iter(runs.values())).values
        }
        for label, runs in by_label([each for each in records if each.errors]).items()
    }


@matplotlib.rc_context(STYLE)
def draw_errors(records: Sequence[Record], name: str, only: str | None = None) -> Figure | None:
    """How many errors of each type there are, and what AP would come without; or one of them."""
    of_kinds = {kind: error_values(records, kind) for kind in ([only] if only else OF_ERRORS)}
    number = len(next(iter(of_kinds.values())))
    if not number:
        return None
    figure, panels = side_by_side(len(of_kinds), number)
    for axes, (kind, methods) in zip(panels, of_kinds.items(), strict=True):
        _draw_error_rows(axes, methods)
        axes.set_title(OF_ERRORS[kind], loc='left')
        axes.set_xlim(left=0)
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc='outside lower center', ncols=len(of_kinds))
    return figure


def _draw_error_rows(axes: Axes, methods: dict[str, dict[str, list[float]]]) -> None:
    """A row an error; in it one above the other the mean of each method, and its seeds."""
    rows = list(next(iter(methods.values())))
    places = np.linspace(-0.3, 0.3, len(methods)) if len(methods) > 1 else [0.0]
    styles = zip(cycle(MARKERS), cycle(COLOURS), strict=False)
    for (label, found), shift, (marker, colour) in zip(
        methods.items(), places, styles, strict=False
    ):
        at = np.arange(len(rows)) + shift
        means = [np.mean(found[row]) for row in rows]
        axes.hlines(at, 0, means, color=colour, linewidth=1, linestyle='-')
        axes.plot(means, at, marker, color=colour, markersize=5, label=names.method(label))
        for place, row in zip(at, rows, strict=True):
            axes.plot(found[row], [place] * len(found[row]), '|', color=colour, markersize=5)
    axes.set_yticks(range(len(rows)), [OF_ERROR[row] for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)


def crowded_class(records: Sequence[Record], metric: str) -> str | None:
    """The class whose AP a metric is; of a mean, that with most objects beside a neighbour."""
    alone = {
        name.split('/')[1]: share
        for record in records
        for name, share in record.errors.items()
        if name.startswith('share/') and name.endswith('/0')
    }
    own = metric.rpartition('/')[2].removesuffix('_AP')
    return own if own in alone else min(alone, key=alone.get, default=None)


def crowd_curves(records: Sequence[Record], name: str) -> tuple[list[float], list[Curve]]:
    """Of a class, the share of its objects with 0, 1, 2 and more neighbours, and AP by them.

    Both in percent. A group is there if all records have it, and more than ``RARE`` of the objects;
    ``epochs`` of a curve are numbers of neighbours.
    """
    groups = [
        group
        for group in range(CROWDS)
        if all(record.errors.get(f'share/{name}/{group}', 0) > RARE for record in records)
    ]
    curves = []
    for label, runs in by_label(records).items():
        seeds = sorted(runs)
        found = np.array([values(runs, f'errors/crowd/{name}/{each}', seeds) for each in groups]).T
        curves.append(Curve(label, groups, found.mean(0), found.min(0), found.max(0)))
    shares = [100 * records[0].errors[f'share/{name}/{group}'] for group in groups]
    return shares, curves


@matplotlib.rc_context(STYLE)
def draw_crowds(records: Sequence[Record], name: str) -> Figure | None:
    """AP of :func:`crowded_class` by the number of neighbours of its objects."""
    records = [record for record in records if record.errors]
    crowded = crowded_class(records, name)
    if crowded is None:
        return None
    shares, curves = crowd_curves(records, crowded)
    figure = Figure(figsize=(WIDTH / 2, 2.8 + 0.2 * len(curves)))
    axes = figure.subplots()
    for (label, groups, mean, low, high), marker in zip(curves, cycle(MARKERS), strict=False):
        (line,) = axes.plot(groups, mean, marker=marker, markersize=5, label=names.method(label))
        axes.fill_between(groups, low, high, alpha=0.15, color=line.get_color(), linewidth=0)
    ticks = [
        f'{group}{" or more" * (group == CROWDS - 1)}\n({share:.2g} %)'
        for group, share in zip(groups, shares, strict=True)
    ]
    axes.set_xticks(groups, ticks)
    axes.set(xlabel='neighbours of an object (share of all)', title=f'AP of {crowded}')
    axes.yaxis.set_major_formatter(as_percent)
    figure.legend(loc='outside lower center')
    return figure


KINDS = {
    'differences': draw_differences,
    'learning': draw_learning,
    'errors': draw_errors,
    'crowds': draw_crowds,
    'diagnosis': draw_diagnosis,
    'background': draw_background,
}
