"""The runs of a report, looked at: their configs, detections and errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from mmengine.config import Config

from . import tables
from .detections import annotated, iou_thresholds, kitti_metric, of_run, with_truths
from .errors import FALSE, FOUND, IGNORED, Detected, Judged, ap, judge, summary
from .records import Record
from .sources import Source, config_of
from .trainings import kept

MAX_VARIANTS = 4  # that curves and pictures show


@dataclass(frozen=True)
class Look:
    """At a run whose work folder is there."""

    record: Record
    folder: Path
    config: Config
    classes: tuple[str, ...]
    infos: Mapping[str, dict]
    """What the data set knows of its images, by their ids."""
    predictions: Sequence[dict]
    images: list[Detected]
    judged: Judged
    errors: dict[str, float]

    def at_best(self) -> list[Detected]:
        """The images with the detections from the score on where F1 is best."""
        return [image.above(self.errors['score']) for image in self.images]


def look_at(source: Source) -> dict[tuple[str, int], Look]:
    """At each run of a source that has a folder; a checkpoint without detections is evaluated."""
    found, known = {}, {}
    for record in source.records:
        folder = source.folders.get((record.label, record.seed))
        if folder is not None:
            config = config_of(folder)
            data = repr(config.val_dataloader)
            if data not in known:
                known[data] = annotated(config)
            found[record.label, record.seed] = look(record, folder, config, *known[data])
    return found


def look(
    record: Record,
    folder: Path,
    config: Config,
    infos: Mapping[str, dict],
    classes: tuple[str, ...],
) -> Look:
    predictions = of_run(config, folder)
    images = with_truths(infos, predictions, kitti_metric(config, classes))
    limits = iou_thresholds(config, classes)
    errors = summary(images, classes, limits)
    judged = judge(images, limits)
    return Look(record, folder, config, classes, infos, predictions, images, judged, errors)


def with_errors(source: Source, looks: Mapping[tuple[str, int], Look]) -> list[Record]:
    """The records with the errors of what was looked at; of a record that has them its own."""
    return [
        replace(record, errors={name: kept(value) for name, value in seen.errors.items()})
        if not record.errors and (seen := looks.get((record.label, record.seed)))
        else record
        for record in source.records
    ]


def shown(source: Source, looks: Mapping[tuple[str, int], Look]) -> list[Look]:
    """A look at each baseline and at its best variants, of one seed that all of them have."""
    methods = tables.by_label(source.records)
    changes = tables.differences(methods, source.metric)
    best = sorted(changes, key=lambda label: -np.nan_to_num(changes[label].mean, nan=-np.inf))
    labels = [
        label
        for label, runs in methods.items()
        if tables.baseline_of(runs) is None or label in best[:MAX_VARIANTS]
    ]
    seeds = [{seed for found, seed in looks if found == label} for label in labels]
    common = set.intersection(*(each for each in seeds if each)) if any(seeds) else set()
    return [
        looks[label, min(common or has)] for label, has in zip(labels, seeds, strict=True) if has
    ]


# --- curves ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PrecisionRecall:
    """Of a class, both in percent; precision is monotone, as the average precision takes it."""

    recall: np.ndarray
    precision: np.ndarray
    ap: float


def curves(seen: Look) -> dict[str, PrecisionRecall]:
    """By class, and in KITTI's format by class and difficulty; none of a class without truths."""
    metric = kitti_metric(seen.config, seen.classes)
    if metric is None:
        return curves_of_classes(seen.judged, seen.classes)
    fields = ('labels', 'bboxes', 'scores')
    results = [
        (each['img_id'], *(np.asarray(each['pred_instances'][name]) for name in fields))
        for each in seen.predictions
    ]
    return {
        f'{name}, {level}': PrecisionRecall(
            np.linspace(0, 100, len(of['precision'])), 100 * np.array(of['precision']), of['AP40']
        )
        for name, levels in metric.evaluated(results).items()
        for level, of in levels.items()
        if of['num_truths']
    }


def curves_of_classes(judged: Judged, classes: Sequence[str]) -> dict[str, PrecisionRecall]:
    found = {}
    for label, name in enumerate(classes):
        total = int((judged.truths == label).sum())
        of_class = (judged.labels == label) & (judged.kinds != IGNORED)
        right = judged.kinds[of_class] == FOUND
        right = right[np.argsort(-judged.scores[of_class], kind='stable')]
        if not total:
            continue
        true = np.cumsum(right)
        precision = true / np.arange(1, len(true) + 1)
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        recall = true / total
        area = ap(judged.scores[of_class], judged.kinds[of_class] == FOUND, total)
        # From recall 0 on, and down to 0 where it ends.
        ends = np.append(recall[:1] * 0, recall), np.append(precision[:1], precision)
        found[name] = PrecisionRecall(100 * ends[0], 100 * ends[1], 100 * area)
    return found


# --- images ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wrong:
    """Of an image, from the score on where F1 is best."""

    image: Detected
    judged: Judged

    @property
    def number(self) -> int:
        return int(np.isin(self.judged.kinds, FALSE).sum() + self.judged.missed.sum())

    def __str__(self) -> str:
        counts = {kind: int((self.judged.kinds == kind).sum()) for kind in FALSE}
        counts['missed'] = int(self.judged.missed.sum())
        listed = ', '.join(f'{num} {kind}' for kind, num in counts.items() if num)
        return (
            f'{int(self.judged.taken.sum())} of {len(self.judged.truths)} objects found'
            f'; {listed or "nothing wrong"}'
        )


def wrong(seen: Look) -> dict[str, Wrong]:
    """Of every image, by its path."""
    limits = iou_thresholds(seen.config, seen.classes)
    return {image.path: Wrong(image, judge([image], limits)) for image in seen.at_best()}


def worst(of_methods: Sequence[Mapping[str, Wrong]], number: int) -> list[str]:
    """Paths of the images with most errors of all methods, the worst first; none without any."""
    totals = {
        path: sum(images[path].number for images in of_methods)
        for path in of_methods[0]
        if all(path in images for images in of_methods)
    }
    ordered = sorted(totals, key=totals.get, reverse=True)[:number]
    return [path for path in ordered if totals[path]]
