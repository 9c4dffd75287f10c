"""Recorded runs to Markdown and CSV.

A record is a dict: ``label`` of its method, ``baseline`` (the label of the method that it is
compared with, None for a baseline), ``config``, ``seed``, ``metrics`` by name, and optionally
``bootstrap`` (values of ``images.bootstrap``), ``evaluations`` and ``losses`` by epoch, ``curves``
and ``minutes``.
"""

import csv
import io
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .statistics import Difference, paired_over_images, paired_over_seeds

# A table in a document, between these two; the first column is that of the differences.
BLOCK = re.compile(
    r'(<!-- table of (?P<file>\S+): (?P<columns>[^>]*?) -->\n).*?(<!-- end of table -->)', re.DOTALL
)


def write_records(records: Sequence[dict], path: Path) -> None:
    """As JSON with a record a line, so that a change of one run is a change of one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '[\n' + ',\n'.join(json.dumps(each, allow_nan=False) for each in records) + '\n]\n'
    )


def by_label(records: Sequence[dict]) -> dict[str, dict[int, dict]]:
    """By method and seed, in the order of the records."""
    methods: dict[str, dict[int, dict]] = {}
    for record in records:
        methods.setdefault(record['label'], {})[record['seed']] = record
    return methods


def percent(name: str, value: float) -> float:
    """A metric in percent: those of KITTI are, MMDetection's are shares."""
    return value if name.startswith('kitti/') else 100 * value


def values(runs: dict[int, dict], name: str, seeds: Sequence[int]) -> list[float]:
    found = (runs[seed]['metrics'][name] for seed in seeds)
    return [percent(name, np.nan if value is None else value) for value in found]


def differences(
    methods: dict[str, dict[int, dict]], name: str, confidence: float = 0.95
) -> dict[str, tuple[Difference, str]]:
    """Of each variant to its baseline on the seeds that all have; and what the interval is over.

    Raises:
        ValueError: a baseline and its variants share no seed.
    """
    groups: dict[str, list[str]] = {}
    for label, runs in methods.items():
        baseline = next(iter(runs.values()))['baseline']
        if baseline is not None:
            groups.setdefault(baseline, [baseline]).append(label)
    found = {}
    for labels in groups.values():
        group = [methods[label] for label in labels]
        seeds = sorted(set.intersection(*(set(runs) for runs in group)))
        if not seeds:
            given = ', '.join(f'{label}: {sorted(methods[label])}' for label in labels)
            raise ValueError(f'methods that are compared need a seed in common; seeds of {given}')
        over_seeds = paired_over_seeds([values(runs, name, seeds) for runs in group], confidence)
        drawn = [runs[seeds[0]].get('bootstrap', {}).get(name) for runs in group]
        for index, (label, change) in enumerate(zip(labels[1:], over_seeds, strict=True), start=1):
            found[label] = change, 'seeds'
            if len(seeds) == 1 and drawn[0] and drawn[index]:
                pair = [[percent(name, value) for value in drawn[each]] for each in (index, 0)]
                found[label] = paired_over_images(change.mean, *pair, confidence), 'images'
    return found


def markdown(records: Sequence[dict], columns: dict[str, str], configs: str = '') -> str:
    """A row a method: number of seeds, means and standard deviations, difference, minutes.

    Records without any variant have no differences.

    Args:
        records: see above.
        columns: titles and names of metrics; the difference is that of the first.
        configs: path from the document to the folder of configs, to link to; '' links nothing.
    """
    methods = by_label(records)
    first_title, first = next(iter(columns.items()))
    changes = differences(methods, first)
    titles = ['method', 'seeds', *columns]
    titles += [f'{first_title}: difference', 'minutes'] if changes else ['minutes']
    lines = [f'| {" | ".join(titles)} |', '| --- |' + ' ---: |' * (len(titles) - 1)]
    for label, runs in methods.items():
        seeds = sorted(runs)
        cells = [link(label, runs[seeds[0]], configs), str(len(seeds))]
        cells += [spread(values(runs, name, seeds)) for name in columns.values()]
        if changes:
            cells.append(interval(*changes[label]) if label in changes else '')
        minutes = [run['minutes'] for run in runs.values() if 'minutes' in run]
        cells.append(f'{np.mean(minutes):.0f}' if minutes else '')
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def link(label: str, record: dict, configs: str) -> str:
    if not configs or label != record['config']:
        return label
    return f'[{label}]({configs}{label}.py)'


def spread(found: Sequence[float]) -> str:
    if len(found) == 1:
        return f'{found[0]:.1f}'
    return f'{np.mean(found):.1f} ± {np.std(found, ddof=1):.1f}'


def interval(found: Difference, over: str) -> str:
    if found.low is None:
        return f'{found.mean:+.1f}'
    note = ' over images' if over == 'images' else ''
    return f'{found.mean:+.1f} [{found.low:+.1f}, {found.high:+.1f}]{note}'


def comma_separated(records: Sequence[dict]) -> str:
    """A row a run, a column a metric, as they were recorded."""
    names = list(dict.fromkeys(name for record in records for name in record['metrics']))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['label', 'config', 'seed', 'minutes', *names])
    for record in records:
        row = [record.get(key, '') for key in ('label', 'config', 'seed', 'minutes')]
        writer.writerow(row + [record['metrics'].get(name, '') for name in names])
    return text.getvalue()


def render(text: str, document: Path, root: Path) -> str:
    """A document with its tables made anew from the recorded runs.

    A table stands between ``<!-- table of results/NAME.json: title = metric, ... -->`` and
    ``<!-- end of table -->``.
    """

    def table(block: re.Match) -> str:
        records = json.loads((root / block['file']).read_text())
        pairs = (pair.split('=') for pair in block['columns'].split(','))
        columns = {title.strip(): name.strip() for title, name in pairs}
        configs = os.path.relpath(root / 'configs', document.parent)
        return block[1] + markdown(records, columns, f'{configs}/') + block[4]

    return BLOCK.sub(table, text)
