"""What all studies found, in one table and one forest plot."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mode

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from . import names, tables
from .plots import BLUE, GREY, RED, STYLE
from .records import Record
from .report import Verdict, columns, verdict, widened
from .statistics import Difference

FEW = 4  # variants of a study, up to which all of them are told
WIDTH = 9.0  # inches, so that 9 points are read with ease where it is shown 900 pixels wide
# Marker and colour, so that one can do without the other.
OF_VERDICT = {
    Verdict.GAIN: ('o', BLUE, BLUE),
    Verdict.LOSS: ('s', RED, RED),
    Verdict.CHANCE: ('o', GREY, 'white'),
    Verdict.ONE_SEED: ('x', GREY, GREY),
}
HEAD = dict(ha='right', va='center', fontweight='bold')


@dataclass(frozen=True)
class Gain:
    """A variant's difference to its baseline in a study."""

    study: str
    detector: str
    data: str
    variant: str
    seeds: int
    """That variant and baseline have both."""
    epochs: int
    metric: str
    baseline: str
    """Mean and deviation of the baseline over its seeds, in percent."""
    difference: Difference
    """With its own interval of 95 %."""
    verdict: Verdict
    """By the interval that is widened for all variants of the study."""


def gains(
    study: str, records: Sequence[Record], metric: str | None = None, main: Sequence[str] = ()
) -> list[Gain]:
    """Of all variants of a small study; of a large one those in ``main`` and the best.

    Of one that is only diagnosed, not evaluated, there are none.

    Args:
        study: its name.
        records: all of them.
        metric: by which it is judged; without it that which :func:`.report.columns` has first.
        main: labels of variants that a large study tells, whether they gain or not.
    """
    if records[0].only_diagnosed:
        return []
    metric = metric or next(iter(columns(records).values()))
    methods = tables.by_label(records)
    own, together = tables.differences(methods, metric), widened(records, metric)
    best = max(own, key=lambda label: np.nan_to_num(own[label].mean, nan=-np.inf), default=None)
    told = [label for label in own if len(own) <= FEW or label in main or label == best]
    found = []
    for label in told:
        runs = methods[label]
        baseline = methods[tables.baseline_of(runs)]
        first = next(iter(baseline.values()))
        detector, _, data = first.config.partition('_')
        found.append(
            Gain(
                study=study,
                detector=detector,
                data=first.images.partition(':')[0] or data.upper(),
                variant=label,
                seeds=len(runs.keys() & baseline.keys()),
                epochs=first.epochs,
                metric=metric,
                baseline=tables.spread(tables.values(baseline, metric, sorted(baseline))),
                difference=own[label],
                verdict=verdict(together[label]),
            )
        )
    return found


def by_place(found: Sequence[Gain]) -> dict[str, dict[str, list[Gain]]]:
    """By data and detector."""
    places: dict[str, dict[str, list[Gain]]] = {}
    for gain in found:
        places.setdefault(gain.data, {}).setdefault(gain.detector, []).append(gain)
    return places


def markdown(found: Sequence[Gain]) -> str:
    titles = ['study', 'detector', 'data', 'variant', 'seeds', 'epochs', 'metric', 'baseline']
    rows = [
        [
            *(gain.study, gain.detector, gain.data, gain.variant),
            *(str(gain.seeds), str(gain.epochs), gain.metric, gain.baseline),
            *(tables.interval(gain.difference), gain.verdict.value),
        ]
        for detectors in by_place(found).values()
        for group in detectors.values()
        for gain in group
    ]
    return tables.typeset([*titles, 'difference', 'verdict'], rows, texts=4)


@matplotlib.rc_context(STYLE | {'font.size': 8.5, 'figure.constrained_layout.w_pad': 0.1})
def draw(found: Sequence[Gain]) -> Figure:
    """A forest plot: a panel a data set, by detector a row a variant, in percentage points."""
    places = by_place(found)
    figure = Figure()
    heights = [len(each) + sum(map(len, each.values())) for each in places.values()]
    panels = figure.subplots(len(places), 1, squeeze=False, height_ratios=heights)[:, 0]
    rows = 0.0
    for axes, (data, detectors) in zip(panels, places.items(), strict=True):
        usual = mode(gain.metric for group in detectors.values() for gain in group)
        rows += _draw_rows(axes, detectors, usual)
        axes.set_title(f'{data}, {names.metric(usual)}', fontweight='bold', fontsize=10)
        axes.axvline(0, color='black', linewidth=0.8, zorder=0)
        axes.spines[['top', 'right', 'left']].set_visible(False)
    figure.supxlabel(
        'Difference to the baseline in percentage points with its 95 % interval.\n'
        'Chance is judged by intervals widened for the number of variants of a study.',
        fontsize=8.5,
    )
    figure.set_size_inches(WIDTH, 0.9 + 0.19 * rows + 0.55 * len(places))
    handles = [
        Line2D([], [], linestyle='', marker=mark, color=colour, mfc=fill, label=each.value)
        for each, (mark, colour, fill) in OF_VERDICT.items()
    ]
    figure.legend(handles=handles, loc='outside upper center', ncols=4)
    return figure


def _draw_rows(axes: Axes, detectors: dict[str, list[Gain]], usual: str) -> float:
    """A line for the name of each detector, and one or more for each gain; returns how many."""
    ticks: list[tuple[float, str]] = []
    place = 0.0
    for detector, group in detectors.items():
        axes.text(0, place, detector, transform=axes.get_yaxis_transform(), **HEAD)
        for gain in group:
            own = '' if gain.metric == usual else f' ({names.metric(gain.metric)})'
            label = textwrap.fill(
                f'{gain.study}: {names.method(gain.variant)}{own}',
                44,
                break_long_words=False,
                break_on_hyphens=False,
            )
            place += 1 + 0.4 * label.count('\n')
            ticks.append((place, label))
            _draw_gain(axes, place, gain)
            place += 0.4 * label.count('\n')
        place += 1.3
    axes.set_yticks(*zip(*ticks, strict=True))
    axes.tick_params(axis='y', length=0)
    axes.set_ylim(place - 0.7, -0.6)
    return place


def _draw_gain(axes: Axes, place: float, gain: Gain) -> None:
    marker, colour, fill = OF_VERDICT[gain.verdict]
    change = gain.difference
    if change.low is not None:
        axes.plot([change.low, change.high], [place, place], '-', color=colour)
    axes.plot(change.mean, place, marker, color=colour, mfc=fill)
    seeds = f', {gain.seeds} seeds' if gain.seeds > 1 else ''
    text = f'{tables.interval(change)}{seeds}, {gain.epochs} epochs'
    axes.text(1.02, place, text, transform=axes.get_yaxis_transform(), va='center')
