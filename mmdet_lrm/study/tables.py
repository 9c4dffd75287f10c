"""Recorded runs to Markdown and CSV. Metrics are in percent wherever they are shown."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from ..errors import UserError
from .records import Record
from .statistics import Difference, paired_over_seeds

Methods = dict[str, dict[int, Record]]
"""Runs by label and seed."""
UNDEFINED = '–'  # a metric without a value, as of a class without objects


class ReportError(UserError):
    """Records, or a document, of which no table or plot can be made."""


def by_label(records: Sequence[Record]) -> Methods:
    """By method and seed, in the order of the records."""
    methods: Methods = {}
    for record in records:
        methods.setdefault(record.label, {})[record.seed] = record
    return methods


def baseline_of(runs: dict[int, Record]) -> str | None:
    """Label of the method that a method is compared with; None for a baseline."""
    return next(iter(runs.values())).baseline


def percent(name: str, value: float) -> float:
    """A metric in percent: those of KITTI are, MMDetection's are shares."""
    return value if name.startswith('kitti/') else 100 * value


def values(runs: dict[int, Record], name: str, seeds: Sequence[int]) -> list[float]:
    """A metric in percent; NaN where it is not defined, as of a class without objects.

    Raises:
        ReportError: it was not recorded.
    """
    for run in runs.values():
        if name not in run.values:
            known = ', '.join(run.metrics)
            raise ReportError(f"the runs of '{run.label}' have no metric '{name}', but {known}")
    found = (runs[seed].values[name] for seed in seeds)
    return [percent(name, np.nan if value is None else value) for value in found]


def differences(methods: Methods, name: str, confidence: float = 0.95) -> dict[str, Difference]:
    """Of each variant to its baseline, on the seeds that both have.

    Raises:
        ReportError: a variant shares no seed with its baseline.
    """
    found = {}
    for label, runs in methods.items():
        baseline = baseline_of(runs)
        if baseline is None:
            continue
        theirs = methods[baseline]
        seeds = sorted(runs.keys() & theirs.keys())
        if not seeds:
            raise ReportError(
                'methods that are compared need a seed in common; seeds of '
                f'{baseline}: {sorted(theirs)}, {label}: {sorted(runs)}'
            )
        pair = [values(each, name, seeds) for each in (theirs, runs)]
        (found[label],) = paired_over_seeds(pair, confidence)
    return found


def markdown(records: Sequence[Record], columns: dict[str, str], configs: str = '') -> str:
    """:func:`rows` as a table in Markdown."""
    return typeset(*rows(records, columns, configs))


def rows(
    records: Sequence[Record], columns: dict[str, str], configs: str = ''
) -> tuple[list[str], list[list[str]]]:
    """A row a method: number of seeds, means, deviations, difference, minutes if they are known.

    Records without any variant have no differences.

    Args:
        records: of one study.
        columns: titles and names of metrics; the difference is that of the first.
        configs: path from the document to the folder of configs, to link to; '' links nothing.

    Returns:
        Titles, and the cells of each row.
    """
    methods = by_label(records)
    first_title, first = next(iter(columns.items()))
    changes = differences(methods, first)
    titles = ['method', 'seeds', *columns]
    titles += [f'{first_title}: difference'] if changes else []
    timed = any(record.minutes is not None for record in records)
    titles += ['minutes'] if timed else []
    found = []
    for label, runs in methods.items():
        seeds = sorted(runs)
        cells = [link(label, runs[seeds[0]].config, configs), str(len(seeds))]
        cells += [spread(values(runs, name, seeds)) for name in columns.values()]
        if changes:
            cells.append(interval(changes[label]) if label in changes else '')
        minutes = [run.minutes for run in runs.values() if run.minutes is not None]
        if timed:
            cells.append(f'{np.mean(minutes):.0f}' if minutes else '')
        found.append(cells)
    return titles, found


def typeset(titles: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """A Markdown table, whose first ``texts`` columns are set to the left, the others right."""
    rule = ['---'] * texts + ['---:'] * (len(titles) - texts)
    return ''.join(f'| {" | ".join(cells)} |\n' for cells in (titles, rule, *rows))


def link(label: str, config: str, configs: str) -> str:
    """To the config of a method that is called by it."""
    return f'[{label}]({configs}{label}.py)' if configs and label == config else label


def spread(found: Sequence[float]) -> str:
    """Mean and deviation; a dash if one of the values is not defined."""
    if np.isnan(found).any():
        return UNDEFINED
    if len(found) == 1:
        return f'{found[0]:.1f}'
    return f'{np.mean(found):.1f} ± {np.std(found, ddof=1):.1f}'


def interval(found: Difference) -> str:
    """The mean and its interval; a dash if no pair has a value."""
    if np.isnan(found.mean):
        return UNDEFINED
    if found.low is None:
        return f'{found.mean:+.1f}, one seed'
    return f'{found.mean:+.1f} [{found.low:+.1f}, {found.high:+.1f}]'


def comma_separated(records: Sequence[Record]) -> str:
    """A row a run, a column a metric, as they were recorded."""
    names = list(dict.fromkeys(name for record in records for name in record.metrics))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['label', 'config', 'seed', 'minutes', *names])
    for record in records:
        row = [record.label, record.config, record.seed, record.minutes]
        writer.writerow(row + [record.metrics.get(name) for name in names])
    return text.getvalue()


def short(number: float) -> str:
    """Three digits, or all before the point."""
    return f'{number:,.0f}' if number >= 100 else f'{number:.3g}'
