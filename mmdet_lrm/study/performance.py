"""How fast it is: the rows that ``benchmarks/performance.py`` measures, recorded and shown."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from ..training.files import write_whole
from .tables import short


@dataclass(frozen=True)
class Row:
    """What something costs, and what it is compared with, timed in turn."""

    group: str
    """Of the table that it stands in."""
    what: str
    ours: float
    """In ``unit``."""
    limit: str
    """What keeps it from being less."""
    unit: str = 'ms'
    against: str = ''
    """What ``theirs`` is the cost of; '' for nothing."""
    theirs: float | None = None
    ratio: float | None = None
    """The median of the rounds' ours / theirs."""
    bar: float | None = None
    """What the ratio, or ``ours`` where there is none, should be at most; None: no such aim."""


@dataclass(frozen=True)
class Curve:
    """The cost of mining by the number of priors in each row of a batch."""

    priors: list[int]
    ms: dict[str, list[float]]
    """By what was timed."""


@dataclass(frozen=True)
class Performance:
    """What one run of the program found."""

    rows: list[Row]
    curve: Curve | None = None
    made_with: dict = field(default_factory=dict)
    """:func:`.trainings.surroundings`."""


def write(found: Performance, file: Path) -> None:
    write_whole(file, json.dumps(asdict(found), indent=1) + '\n')


def read(file: Path) -> Performance:
    found = json.loads(file.read_text())
    curve = found['curve'] and Curve(**found['curve'])
    return Performance([Row(**row) for row in found['rows']], curve, found['made_with'])


def joined(before: Performance, now: Performance) -> Performance:
    """A record with the rows of a later run in the place of those of the same name."""
    rows = {(row.group, row.what, row.against): row for row in (*before.rows, *now.rows)}
    return Performance([*rows.values()], now.curve or before.curve, now.made_with)


def head() -> str:
    return (
        '| what | costs | measured by | | ratio | wanted | what limits it |\n'
        '| --- | ---: | --- | ---: | ---: | ---: | --- |'
    )


def markdown(rows: Sequence[Row], group: str) -> str:
    """A table of the rows of a group."""
    return '\n'.join([head(), *(line(row) for row in rows if row.group == group)]) + '\n'


def line(row: Row) -> str:
    """Of the table; what is above its aim is bold."""
    ratio = '' if row.ratio is None else f'{row.ratio:.2f}'
    ours = f'{short(row.ours)} {row.unit}'
    missed = row.bar is not None and float(ratio or f'{row.ours:.3g}') > row.bar
    if missed:
        ratio, ours = (f'**{ratio}**', ours) if ratio else (ratio, f'**{ours}**')
    wanted = '' if row.bar is None else f'≤ {row.bar:g}'
    if wanted and row.ratio is None:
        wanted += f' {row.unit}'
    theirs = '' if row.theirs is None else f'{short(row.theirs)} {row.unit}'
    cells = row.what, ours, row.against, theirs, ratio, wanted, row.limit
    return f'| {" | ".join(cells)} |'


def draw(curve: Curve) -> Figure:
    """Milliseconds by number of priors, both in decades."""
    figure = Figure(figsize=(6, 3.6), layout='constrained')
    axes = figure.subplots()
    for name, ms in curve.ms.items():
        axes.plot(curve.priors, ms, marker='o', label=name)
    axes.set(xscale='log', yscale='log', xlabel='priors of an image', ylabel='CPU time, ms')
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
