"""What the data of a run hold, said before it begins; what cannot be meant stops it.

mmdet drops a box whose name is none of the classes without a word, and finds a missing image in the
middle of a training. Nothing is decoded here; each file of annotations is read once.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmdet.evaluation import CocoMetric, LVISMetric
from mmdet.registry import DATASETS, METRICS
from mmengine.config import Config, ConfigDict
from terminaltables import AsciiTable

from ..errors import LaunchError, UserError
from .annotations import READING_ERRORS, Annotations, read_annotations
from .nodes import find_datasets, nodes

MAX_SHOWN = 20
TOLERANCE = 1.0  # px by which a box may leave its image: rounding, or pixels counted from one


@dataclass
class DataReport:
    """What was found: ``problems`` stop a run, ``notes`` are said; ``counts`` are the table's."""

    classes: tuple[str, ...] = ()
    counts: dict[str, list[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rows = zip(['class', *self.classes, 'all'], *self.counts.values(), strict=True)
        table = AsciiTable(list(rows))
        return '\n'.join([table.table, *(f'note: {note}' for note in self.notes)])


def check_data(cfg: Config, *loaders: str) -> None:
    """Print the boxes of each class in these loaders' data, and what is odd about them.

    Of a distributed run the first process does.

    Raises:
        LaunchError: Files are missing, empty or cannot be read; names differ from a class by case
            alone; files number the classes in another order; there is no box to train on, or one
            has its corners swapped; annotations are none that pycocotools evaluates, which the
            config has it do; the head has another number of classes. All of this is in the message,
            the first ``MAX_SHOWN`` problems with file and, where a file has lines, line.
    """
    if int(os.environ.get('RANK', 0)):
        return
    report = look_through(cfg, *loaders)
    if report.counts:
        print(report, flush=True)
    if problems := report.problems:
        more = [f'... and {len(problems) - MAX_SHOWN} more'] * (len(problems) > MAX_SHOWN)
        found = '1 problem' if len(problems) == 1 else f'{len(problems)} problems'
        raise LaunchError('\n'.join([f'{found} in the data:', *problems[:MAX_SHOWN], *more]))


def look_through(cfg: Config, *loaders: str) -> DataReport:
    """Of all local data sets of these loaders; see :func:`check_data`."""
    report, seen = DataReport(), []
    for loader in loaders:
        parts = list(find_datasets(cfg.get(loader) or {}))
        evaluated = _files_for_pycocotools(cfg, loader)
        if (
            not parts
            or (parts, evaluated) in seen
            or any('://' in (part.data_root or '') for part in parts)
        ):
            continue
        seen.append((parts, evaluated))
        found = [
            each for part in parts if (each := _read(part, loader, report.problems)) is not None
        ]
        for each in found:
            _check_classes(each, loader, report)
            is_evaluated = os.path.realpath(each.source) in evaluated
            if is_evaluated:
                report.problems += each.not_to_evaluate
            report.notes += _oddities(each, loader, is_evaluated)
        if found:
            _count(found, loader, report)
        if len(found) == len(parts) and loader == 'train_dataloader':
            report.problems += _not_to_be_drawn(cfg, found)
    if report.classes:
        report.problems += _heads_unlike(cfg.get('model') or {}, report.classes)
    return report


def _read(part: ConfigDict, loader: str, problems: list[str]) -> Annotations | None:
    """The annotations of a data set of the config, or None and what is wrong with them."""
    try:
        dataset = DATASETS.build(ConfigDict(part, pipeline=[], lazy_init=True))
        return read_annotations(dataset, problems)
    except UserError as error:
        problems += getattr(error, 'problems', [str(error)])
    except READING_ERRORS as error:
        problems.append(f'{part.type} of {loader} cannot be read: {type(error).__name__}: {error}')
    return None


def _files_for_pycocotools(cfg: Config, loader: str) -> set[str]:
    """The files of annotations that the metrics of this loader read once more, by themselves."""
    evaluator = cfg.get(f'{loader.removesuffix("_dataloader")}_evaluator')
    files = set()
    for _, node in nodes(evaluator):
        kind = node.get('type')
        metric = METRICS.get(kind) if isinstance(kind, str) else kind
        # LVIS's has an evaluation of its own.
        is_coco = isinstance(metric, type) and issubclass(metric, CocoMetric)
        if is_coco and not issubclass(metric, LVISMetric) and not node.get('format_only'):
            files.add(os.path.realpath(node.get('ann_file') or ''))
    return files


def _check_classes(found: Annotations, loader: str, report: DataReport) -> None:
    """The classes are those of the other data, and the labels theirs; no name differs by case."""
    report.classes = report.classes or found.classes
    if found.classes != report.classes:
        report.problems.append(
            f'{found.source} has the classes {found.classes}, and the data before it '
            f'{report.classes}; give all the same, in one order (metainfo=dict(classes=...))'
        )
    folded = {_fold(name): name for name in found.classes}
    for name, num in found.names_left_out().items():
        if _fold(name) in folded:
            report.problems.append(
                f"{found.source}: {num} of its boxes have the name '{name}', and the class is "
                f"'{folded[_fold(name)]}'. Spell them alike, in the classes of the config or in "
                'the files'
            )
    if absent := [name for name in found.classes if name not in found.known_names]:
        report.problems.append(
            f'{found.source} has no category {", ".join(absent)}, and mmdet would give the other '
            f'classes wrong labels; its categories are {", ".join(sorted(found.known_names))}'
        )
    elif found.labels != found.classes[: len(found.labels)]:
        report.problems.append(
            f'{found.source} gives its boxes labels in the order {", ".join(found.labels)}, and '
            f'the classes are {", ".join(found.classes)}: mmdet would take one for another. Give '
            'the classes in the order of the file (metainfo=dict(classes=...)), or list in the '
            'file each category once, in the order of the classes'
        )


def _fold(name: str) -> str:
    return ''.join(filter(str.isalnum, name)).casefold()


def _count(found: list[Annotations], loader: str, report: DataReport) -> None:
    """Two columns of the table, boxes and the images that have them, over all parts of a loader."""
    split = loader.removesuffix('_dataloader')
    boxes, images = (np.zeros(len(report.classes), dtype=int) for _ in range(2))
    for each in found:
        for label, name in enumerate(report.classes):
            of_class = (each.names == name) & ~each.ignored
            boxes[label] += of_class.sum()
            images[label] += len(np.unique(each.image[of_class]))
    num_images = sum(len(each.images) for each in found)
    report.counts[split] = [f'{split} boxes', *map(str, boxes), str(boxes.sum())]
    report.counts[f'{split} images'] = ['in images', *map(str, images), str(num_images)]
    without = [name for name, num in zip(report.classes, boxes, strict=True) if not num]
    if not boxes.any():
        said = f'{", ".join(each.source for each in found)}: no box of {", ".join(report.classes)}'
        dropped = [line for each in found for line in each.dropped]
        if dropped and split == 'train':
            report.problems.append(
                f'{said} is left to train on; mmdet drops {len(dropped)}, first {dropped[0]}'
            )
        elif dropped:
            report.notes.append(f'{said} is left')
        elif split == 'train':
            report.problems.append(f'{said}; the classes of the config are not those of the data')
        else:
            report.notes.append(f'{said}: nothing can be evaluated')
    elif without:
        report.notes.append(f'{split} has no box of {", ".join(without)}')


def _oddities(found: Annotations, loader: str, is_evaluated: bool) -> Iterator[str]:
    """What mmdet does not mind, and the user may."""
    split = loader.removesuffix('_dataloader')
    ignored = Counter(found.names[found.ignored].tolist())
    for what, names in (
        ('of names that no class takes', found.names_left_out()),
        ('that are ignored', ignored),
    ):
        if names:
            listed = ', '.join(f'{name} {num}' for name, num in names.most_common())
            yield f'{split} boxes {what}: {names.total()}, {listed}'
    if dropped := found.dropped:
        counted = ', and pycocotools counts' * is_evaluated
        yield f'{split} boxes that mmdet drops{counted}: {len(dropped)}, first {dropped[0]}'
    wanted = np.isin(found.names, found.classes)
    no_area = wanted & (found.boxes[:, 2:] <= found.boxes[:, :2]).any(axis=1)
    high = np.tile(found.sizes, 2)[found.image]
    outside = wanted & (np.abs(found.boxes - np.clip(found.boxes, 0, high)) > TOLERANCE).any(axis=1)
    outside &= high[:, 0] > 0
    for what, which in (('without area', no_area), ('that leave their image', outside)):
        if which.any():
            first = int(np.argmax(which))
            box = ' '.join(f'{value:g}' for value in found.boxes[first])
            yield (
                f'{split} boxes {what}: {which.sum()}, first {found.names[first]} {box} of '
                f'{found.images[found.image[first]]}'
            )


def _not_to_be_drawn(cfg: Config, found: list[Annotations]) -> Iterator[str]:
    """What a hook is to draw of the training images by a name that none of them has."""
    paths = [Path(path) for each in found for path in each.images]
    names = {path.name for path in paths} | {path.stem for path in paths}
    for hook in cfg.get('custom_hooks') or ():
        if hook['type'] == 'MiningVisualizationHook':
            wanted = [each for each in hook.get('images', ()) if isinstance(each, str)]
            for name in sorted(set(wanted) - names):
                yield (
                    f"MiningVisualizationHook is to draw '{name}', which is no image of "
                    f'{found[0].source}; name one by its file, or by its index from 0 on'
                )


def _heads_unlike(model: dict, classes: tuple[str, ...]) -> Iterator[str]:
    """A line for each head of boxes that has another number of classes."""
    for key, node in nodes(model, 'model'):
        num = node.get('num_classes', len(classes))
        if key.endswith('bbox_head') and num != len(classes):
            yield (
                f'{key}.num_classes is {num}, and the data have {len(classes)} classes: '
                f'{", ".join(classes)}; set it to {len(classes)}, or the classes of the data'
            )
