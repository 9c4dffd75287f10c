"""The parts of a report: what each says, in words, tables and pictures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from mmengine.config import Config

import mmdet_lrm

from ..mining.pictures import MiningPictureError, draw_mining
from ..mining.pictures import png as mining_png
from . import names, plots, tables
from .detections import iou_thresholds, last_checkpoint
from .errors import CROWDS, KINDS
from .fairness import differences
from .looking import Look, Wrong, curves, shown, worst, wrong
from .page import Picture, Pictures, Section, Table, Text
from .plots import OF_ERROR, crowded_class, png
from .records import Record
from .report import columns, recommendation
from .report_pictures import (
    draw_curves,
    draw_key,
    draw_wrong,
    jpeg,
    mined_images,
    mining_row,
)
from .sources import Source
from .statistics import MIN_PAIRS
from .trainings import last_scalars, surroundings

NUM_WORST = 4  # images
NUM_MINED = 2
FROM_BEST = 'From the score on at which F1 over all classes is best, each run by its own'


def sections(source: Source, looks: Mapping[tuple[str, int], Look]) -> list[Section]:
    """All parts that the source has something for; ``source.records`` have their errors."""
    chosen = shown(source, looks)
    found = {each.record.label: wrong(each) for each in chosen[:2]}
    paths = worst([*found.values()], NUM_WORST) if found else []
    return [
        Section('Summary', in_words(source, chosen)),
        Section('Results', results(source)),
        Section('Learning curves', learning(source)),
        Section('Precision and recall', precision_recall(chosen)),
        Section('Errors', errors(source)),
        Section('Crowded places', crowds(source)),
        Section('Worst images', worst_images(chosen, found, paths)),
        Section('Mining', mining(source, chosen, paths)),
        Section('Config', config_differences(source, looks)),
        Section('Versions', versions(source)),
    ]


# --- in words -------------------------------------------------------------------------------------


def not_compared(source: Source) -> str:
    """Why nothing is compared; '' where something is."""
    if source.comparable:
        return ''
    listed = '; '.join(map(names.method, tables.by_label(source.records)))
    return (
        f'No comparison, since these trainings stand at different epochs: {listed}. Values after '
        'unequal lengths of training do not tell which method is better, so no differences are '
        'shown, and nothing is concluded. Train all to the same epoch, and make this page anew.'
    )


def in_words(source: Source, chosen: Sequence[Look]) -> list[Text]:
    records, metric = source.records, source.metric
    methods = tables.by_label(records)
    seeds = {len(runs) for runs in methods.values()}
    data = records[0].images.partition(':')[0]
    data = f' on {data}' if data else ''
    if not source.comparable:
        told = f'{len(records)} trainings{data}, judged by {names.metric(metric)}.'
        return [Text(not_compared(source), [told])]
    epochs = sorted({record.epochs for record in records})
    lines = [
        f'{len(methods)} method{"s" * (len(methods) > 1)}, '
        f'{" or ".join(map(str, sorted(seeds)))} seed{"s" * (max(seeds) > 1)} each, trained for '
        f'{" or ".join(map(str, epochs))} epoch{"s" * (epochs[-1] != 1)}{data}, '
        f'judged by {names.metric(metric)}.'
    ]
    for label, runs in methods.items():
        if tables.baseline_of(runs) is None:
            found = tables.spread(tables.values(runs, metric, sorted(runs)))
            lines.append(f'{names.method(label)}: {names.metric(metric)} {found} %.')
    best = recommendation(records, metric)
    if best:
        told = replace(
            best, variant=f'\u201c{names.method(best.variant)}\u201d', metric=names.metric(metric)
        )
        lines.append(f'{told}')
        if 1 < best.difference.pairs < MIN_PAIRS:
            lines.append(f'Fewer than {MIN_PAIRS} pairs of seeds: a difference may well be chance.')
    lines += [*rising(records, metric), *costly(records)]
    if not chosen:
        lines.append('No work folder is left, so there are no curves of precision and no images.')
    return [Text('What came out, in short:', lines)]


def rising(records: Sequence[Record], metric: str) -> Iterator[str]:
    """Whether the first method was still learning at the end."""
    curve = next(iter(plots.learning_curves(records, metric)), None)
    if curve is not None and len(curve.epochs) > 1:
        gain = curve.mean[-1] - curve.mean[-2]
        yield (
            f'From epoch {curve.epochs[-2]} to {curve.epochs[-1]} {names.method(curve.label)} '
            f'changed by {gain:+.1f} points.'
        )


def costly(records: Sequence[Record]) -> Iterator[str]:
    """What costs the first method most."""
    gains = next(iter(plots.error_values(records, 'gain').values()), {})
    means = {kind: np.mean(each) for kind, each in gains.items()}
    told = [kind for kind, mean in means.items() if mean >= 0.05]  # neither 0.0 nor undefined
    ordered = sorted(told, key=lambda kind: -means[kind])[:2]
    if ordered:
        listed = ' and '.join(f'{OF_ERROR[kind]} ({means[kind]:.1f})' for kind in ordered)
        yield (
            f'{names.method(records[0].label)} would gain most points of mean AP without its '
            f'errors of {listed}.'
        )


# --- tables ---------------------------------------------------------------------------------------


def results(source: Source) -> list[Table | Pictures]:
    shown_columns = columns(source.records)
    shown_columns = {title: name for title, name in shown_columns.items() if name != source.metric}
    first = {names.metric(source.metric): source.metric}
    titles, rows = tables.rows(source.records, first | shown_columns)
    caption = 'In percent: mean and standard deviation over seeds'
    if has_variants(source.records):
        caption += '; difference to the baseline with its 95 % interval, paired by seed'
    parts: list[Table | Pictures] = [
        Table(f'{caption}.', titles, [[names.method(label), *cells] for label, *cells in rows])
    ]
    figure = plots.draw_differences(source.records, source.metric)
    if figure is not None:
        alt = 'Each variant\u2019s difference to its baseline, as in the table'
        parts.append(Pictures([Picture(png(figure), alt)], size='large'))
    return parts


def has_variants(records: Sequence[Record]) -> bool:
    return any(record.baseline is not None for record in records)


def compared(records: Sequence[Record], rows: Mapping[str, str]) -> tuple[list[str], list[list]]:
    """Titles and rows of a table with a column a method, below a value what it differs by.

    Args:
        rows: titles and names of values.
    """
    methods = tables.by_label(records)
    body = []
    for title, name in rows.items():
        changes = tables.differences(methods, name)
        cells = []
        for label, runs in methods.items():
            cell = tables.spread(tables.values(runs, name, sorted(runs)))
            cells.append(
                cell + (f'\n{tables.interval(changes[label])}' if label in changes else '')
            )
        body.append([title, *cells])
    return ['', *map(names.method, methods)], body


def error_tables(records: Sequence[Record]) -> list[Table]:
    """Counts, and what AP would come without; empty unless all records have errors."""
    if not all(record.errors for record in records):
        return []
    below = (
        ' Below a variant\u2019s value its difference to the baseline, with the 95 % interval.'
        if has_variants(records)
        else ''
    )
    kinds = {
        'count': (
            f'Errors for 100 objects. {FROM_BEST}.{below}',
            {'found': 'objects found'} | OF_ERROR,
        ),
        'gain': (
            'Points of mean AP that would come if no error of the type were made; all detections.',
            {kind: OF_ERROR[kind] for kind in KINDS},
        ),
    }
    return [
        Table(
            caption,
            *compared(records, {text: f'errors/{name}/{kind}' for kind, text in listed.items()}),
        )
        for name, (caption, listed) in kinds.items()
    ]


def crowd_table(records: Sequence[Record], metric: str) -> list[Table]:
    """AP by neighbours, of ``crowded_class``; empty unless all records have errors."""
    crowded = crowded_class(records, metric)
    if crowded is None or not all(record.errors for record in records):
        return []
    named = {
        group: f'crowd/{crowded}/{group}'
        for group in range(CROWDS)
        if all(f'crowd/{crowded}/{group}' in record.errors for record in records)
    }
    shares = records[0].errors
    rows = {
        f'{group}{" or more" * (group == CROWDS - 1)} '
        f'({100 * shares[f"share/{crowded}/{group}"]:.2g} % of them)': f'errors/{name}'
        for group, name in named.items()
    }
    caption = f'AP of {crowded} by how many other objects overlap one with an IoU above 0.1.'
    return [Table(caption, *compared(records, rows))]


def errors(source: Source) -> list[Text | Table | Pictures]:
    found = error_tables(source.records)
    if not found:
        return []
    figures = [plots.draw_errors(source.records, source.metric, kind) for kind in plots.OF_ERRORS]
    alt = 'Errors by type for each method, as in the tables'
    return [
        Text(
            'Each wrong detection has one type (Bolya et al., ECCV 2020): localisation, an object '
            'of its class with an IoU between 0.1 and the threshold; class, an object of another '
            'class in its place; duplicate, an object that a higher score has found; background, '
            'no object; class and localisation, what remains. Between objects is background that '
            'touches two of them. An object is missed if no detection was meant for it.'
        ),
        Pictures([Picture(png(figure), alt) for figure in figures]),
        *found,
    ]


def crowds(source: Source) -> list[Table | Pictures]:
    found = crowd_table(source.records, source.metric)
    figure = plots.draw_crowds(source.records, source.metric) if found else None
    if figure is None:
        return []
    alt = 'AP by the number of neighbours for each method, as in the table'
    return [Pictures([Picture(png(figure), alt)]), *found]


# --- curves and images ----------------------------------------------------------------------------


def learning(source: Source) -> list[Pictures]:
    caption = 'Mean over seeds, and the range between them.'
    panels = [
        Picture(png(figure), f'{names.metric(name)} by epoch for each method', caption)
        for name in ('loss', source.metric)
        if (figure := plots.draw_learning(source.records, source.metric, name)) is not None
    ]
    return [Pictures(panels)] if panels else []


def precision_recall(chosen: Sequence[Look]) -> list[Text | Pictures]:
    if not chosen:
        return []
    of_methods = {each.record.label: curves(each) for each in chosen}
    panels = []
    for name in next(iter(of_methods.values())):
        of = {label: found[name] for label, found in of_methods.items() if name in found}
        listed = ', '.join(f'{names.method(label)} {each.ap:.1f}' for label, each in of.items())
        alt = f'Precision over recall of {name}; AP of {listed}'
        panels.append(Picture(png(draw_curves(of)), alt, name))
    return [
        Text(
            f'The last evaluation of {seeds_of(chosen)} alone, IoU {thresholds(chosen[0])}. The AP '
            'here is that of the curve; one that counts pixels otherwise differs by tenths.'
        ),
        Pictures(panels),
    ]


def seeds_of(chosen: Sequence[Look]) -> str:
    """Those that curves and images are of: one, unless no seed is common to all methods."""
    seeds = sorted({each.record.seed for each in chosen})
    return f'seed{"s" * (len(seeds) > 1)} {" and ".join(map(str, seeds))}'


def thresholds(seen: Look) -> str:
    limits = iou_thresholds(seen.config, seen.classes)
    if len(set(limits)) == 1:
        return f'{limits[0]:g}'
    return ', '.join(
        f'{limit:g} ({name})' for name, limit in zip(seen.classes, limits, strict=True)
    )


def worst_images(
    chosen: Sequence[Look], of_methods: Mapping[str, Mapping[str, Wrong]], paths: Sequence[str]
) -> list[Text | Pictures]:
    """What the baseline and the best variant make of the images with most of their errors."""
    if not paths:
        return []
    scores = {each.record.label: each.errors['score'] for each in chosen}
    panels = []
    for path in paths:
        for label, images in of_methods.items():
            of = f'{Path(path).name}, {names.method(label)} (from score {scores[label]:.2f} on)'
            caption = f'{of}: {images[path]}'
            panels.append(Picture(jpeg(draw_wrong(images[path])), caption, caption))
    shown_methods = ' and '.join(map(names.method, of_methods))
    return [
        Text(f'Those with most errors of {shown_methods}, {seeds_of(chosen[:2])}. {FROM_BEST}.'),
        Pictures([Picture(png(draw_key()), 'Colours of the boxes, which the captions count')]),
        Pictures(panels, 'pairs'),
    ]


# --- mining ---------------------------------------------------------------------------------------


def mining(
    source: Source, chosen: Sequence[Look], paths: Sequence[str]
) -> list[Text | Table | Pictures]:
    parts: list[Text | Table | Pictures] = []
    figure = plots.draw_diagnosis(source.records, source.metric)
    if figure is not None:
        alt = 'Who carries the gradient over the iterations of a training'
        parts.append(Pictures([Picture(png(figure), alt, alt)], size='large'))
    for seen in chosen:
        logged = last_scalars(seen.folder, 'mining/')
        if logged:
            listed = [f'{name}: {value:.3g}' for name, value in logged.items()]
            parts.append(Text(f'{names.method(seen.record.label)}, in its last log:', listed))
    mined = [each for each in chosen if mines(each) and last_checkpoint(each.folder)]
    for seen in mined[:1]:
        parts += mined_by(seen, paths or [image.path for image in seen.images[:NUM_MINED]])
    if chosen and not any(map(mines, chosen)):
        parts.append(Text('Nothing is mined: no method that is shown has lrm in its head.'))
    return parts


def mines(seen: Look) -> bool:
    return bool(seen.config.model.get('bbox_head', {}).get('lrm'))


def mined_by(seen: Look, paths: Sequence[str]) -> list[Text | Table | Pictures]:
    try:
        found = mined_images(seen, paths)
    except MiningPictureError as error:
        return [Text(str(error))]
    titles = ['image', 'objects', 'priors that train', 'of objects: filtered', 'loss at the rank']
    label = names.method(seen.record.label)
    panels = [
        Picture(
            mining_png(draw_mining(mined, seen.classes), dpi=75),
            f'{name}: losses of the priors, and which of them train',
            name,
        )
        for name, mined in found[:NUM_MINED]
    ]
    rows = [mining_row(name, mined) for name, mined in found]
    caption = f'What the last checkpoint of {label} would mine in images of the evaluation.'
    return [Table(caption, titles, rows), Pictures(panels, size='large')]


# --- what it was made with ------------------------------------------------------------------------


def config_differences(source: Source, looks: Mapping[tuple[str, int], Look]) -> list[Text | Table]:
    """Of each variant to its baseline; of a single method to the shipped config of its name."""
    parts: list[Text | Table] = []
    told = []
    for label, runs in tables.by_label(source.records).items():
        first = next(iter(runs.values()))
        # Trainings that are not compared have changes from the first, and seeds of one the same.
        of = first.baseline or ('' if source.comparable else source.records[0].label)
        if of and first.changes and (of, first.changes) not in told:
            told.append((of, first.changes))
            caption = f'{names.method(label)}: what differs from {names.method(of)}'
            rows = [[key, value] for key, value in first.changes.items()]
            parts.append(Table(caption, ['key', 'value'], rows, words=True))
        elif first.common:
            caption = f'All methods: what differs from the file of {first.config}'
            rows = [[key, value] for key, value in first.common.items()]
            parts.append(Table(caption, ['key', 'value'], rows, words=True))
    if not parts and looks:
        parts += from_shipped(next(iter(looks.values())))
    return parts


def from_shipped(seen: Look) -> list[Text | Table]:
    stem = seen.record.config
    try:
        shipped = Config.fromfile(mmdet_lrm.config(f'{stem}.py')).to_dict()
    except FileNotFoundError:
        return [Text(f'There is no other run to compare with, and no shipped config {stem}.')]
    found = differences(shipped, seen.config.to_dict())
    rows = [[key, repr(new)] for key, _, new in found if key not in ('work_dir', 'launcher')]
    caption = f'What differs from the shipped config {stem}'
    return (
        [Table(caption, ['key', 'value'], rows, words=True)]
        if rows
        else [Text(f'As shipped: {stem}.')]
    )


def versions(source: Source) -> list[Table]:
    """What the runs were trained with, and this page was made with."""
    here = surroundings()
    found: dict[str, dict[str, None]] = {}
    for record in source.records:
        known = {'code': record.commit, 'hardware': record.hardware, **record.versions}
        for name, value in known.items():
            if value:
                found.setdefault(name, {})[value] = None
    page = {'code': here['commit'], 'hardware': here['hardware'], **here['versions']}
    rows = [
        [name, '\n'.join(found.get(name, {})) or 'not known', page.get(name, '')]
        for name in dict.fromkeys([*page, *found])
    ]
    return [Table('What it was made with', ['', 'trainings', 'this page'], rows, words=True)]
