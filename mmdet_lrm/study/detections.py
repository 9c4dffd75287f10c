"""Detections of a training on the images that it is evaluated on, beside the truths of these."""

import io
import pickle
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmdet.evaluation import CocoMetric, VOCMetric
from mmdet.registry import DATASETS, METRICS
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from tqdm import tqdm

from ..errors import UserError
from ..kitti.evaluation import DIFFICULTIES, Difficulty, valid_truths
from ..kitti.labels import read_objects
from ..kitti.metric import KittiMetric
from ..launch import find_datasets, require_data
from ..launch.models import build_detector
from ..training.checkpoints import NOTE
from ..training.files import write_whole
from .errors import Detected, summary
from .trainings import FINISHED

DUMPED = 'detections.pkl'  # what the last evaluation of a study's run leaves
IOU_THR = 0.5  # as VOC's and TIDE's, where an evaluator has none of its own
LEVEL = 'moderate'  # KITTI's, by which the benchmark ranks


class DetectionsError(UserError):
    """Detections that are not there, cannot be read, or are of other images."""


# --- made, and found again ------------------------------------------------------------------------


def last_checkpoint(work_dir: Path) -> Path | None:
    """The checkpoint that was written last, as MMEngine notes; None without any.

    Without a note, or if what it names is gone, that of the largest epoch or iteration, which may
    be of an earlier training in this folder.
    """
    note = work_dir / NOTE
    if note.is_file():
        # Its folder may have been moved since.
        noted = work_dir / Path(note.read_text(errors='replace').strip()).name
        if noted.is_file():
            return noted
    numbers = {
        int(found[1]): file
        for file in work_dir.glob('*.pth')
        if (found := re.fullmatch(r'(?:epoch|iter)_(\d+)', file.stem))
    }
    return numbers[max(numbers)] if numbers else None


def of_run(config: Config, work_dir: Path) -> list[dict]:
    """Of the last checkpoint, on the images of ``val_dataloader``, made once and kept beside it.

    Raises:
        DetectionsError: there is no checkpoint, or a file that cannot be read.
        LaunchError: the data are missing, or the checkpoint is damaged.
    """
    dumped, checkpoint = work_dir / DUMPED, last_checkpoint(work_dir)
    if dumped.is_file() and (work_dir / FINISHED).is_file():
        return read(dumped)
    if checkpoint is None:
        raise DetectionsError(
            f"'{work_dir}' has neither {DUMPED} of a finished run nor a checkpoint (epoch_N.pth); "
            'give the work folder of a training'
        )
    file = work_dir / f'detections-{checkpoint.stem}.pkl'
    if not file.is_file() or file.stat().st_mtime < checkpoint.stat().st_mtime:
        write_whole(file, pickle.dumps(detect(config, checkpoint)))
    return read(file)


@torch.no_grad()
def detect(config: Config, checkpoint: Path) -> list[dict]:
    """Of each image of ``val_dataloader`` ``img_id`` and ``pred_instances``, as MMDetection dumps
    them; a bar on stderr tells the progress."""
    require_data(config, 'val_dataloader')
    init_default_scope(config.get('default_scope', 'mmdet'))
    model = build_detector(config, checkpoint).to(get_device())
    loader = Runner.build_dataloader(config.val_dataloader)
    return [
        dict(img_id=sample.img_id, pred_instances=arrays(sample.pred_instances))
        for batch in tqdm(loader, desc=f'detections of {checkpoint}', unit='batch')
        for sample in model.test_step(batch)
    ]


def arrays(found: InstanceData) -> dict[str, np.ndarray]:
    return {name: found[name].cpu().numpy() for name in ('bboxes', 'labels', 'scores')}


class _Reader(pickle.Unpickler):
    """Of tensors, arrays and plain values; a pickle could have any function called."""

    allowed = (
        ('torch._utils', '_rebuild_tensor_v2'),
        ('torch.storage', '_load_from_bytes'),  # torch.load, which launch.checkpoints restricts
        ('collections', 'OrderedDict'),
        ('_codecs', 'encode'),  # bytes, in old protocols
        *(
            (f'numpy.{core}.multiarray', name)
            for core in ('core', '_core')
            for name in ('_reconstruct', 'scalar')
        ),
        ('numpy', 'ndarray'),
        ('numpy', 'dtype'),
    )

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f'it names {module}.{name}')
        return super().find_class(module, name)


def read(file: Path) -> list[dict]:
    """What :func:`detect` returned, or MMDetection dumped.

    Raises:
        DetectionsError: it holds something else, or is damaged.
    """
    try:
        found = _Reader(io.BytesIO(file.read_bytes())).load()
        for each in found:
            _ = each['img_id'], each['pred_instances']['bboxes']
    except Exception as error:  # what an unpickler raises of a damaged file has no end
        raise DetectionsError(
            f"'{file}' holds no detections ({type(error).__name__}: {error}); remove it, and the "
            'last checkpoint is evaluated again'
        ) from error
    return found


# --- with their truths ----------------------------------------------------------------------------


def annotated(config: Config) -> tuple[dict[str, dict], tuple[str, ...]]:
    """What the data of ``val_dataloader`` know of each image, by its id; and the classes.

    Raises:
        LaunchError: the data are missing.
    """
    require_data(config, 'val_dataloader')
    init_default_scope(config.get('default_scope', 'mmdet'))
    infos, classes = {}, ()
    for part in find_datasets(config.val_dataloader):
        dataset = DATASETS.build(ConfigDict(part, pipeline=[], test_mode=True))
        classes = tuple(dataset.metainfo['classes'])
        found = map(dataset.get_data_info, range(len(dataset)))
        infos |= {str(info['img_id']): info for info in found}
    return infos, classes


def with_truths(
    infos: dict[str, dict], predictions: Sequence[dict], metric: KittiMetric | None = None
) -> list[Detected]:
    """Truths that count, and detections, of the images that have detections.

    Args:
        infos: what the data know of images, by their ids.
        predictions: as :func:`detect` returns them.
        metric: by which they are evaluated if it is KITTI's. Then those truths and detections count
            that it counts at its moderate level, within its own limits.

    Raises:
        DetectionsError: an image is none of the data set.
        KittiDataError: a label file of the metric is missing or damaged.
    """
    names = [str(each['img_id']) for each in predictions]
    for name in names:
        if name not in infos:
            raise DetectionsError(
                f"there are detections of '{name}', an image that is not in the data of the "
                'config; are they of another data set?'
            )
    truths = [of_data(infos[name]) for name in names] if metric is None else of_files(names, metric)
    images = []
    for name, each, (boxes, labels) in zip(names, predictions, truths, strict=True):
        given = (each['pred_instances'][field] for field in ('bboxes', 'labels', 'scores'))
        found, classes, scores = map(np.asarray, given)
        seen = slice(None) if metric is None else high_enough(found, classes, metric)
        counts = labels >= 0
        images.append(
            Detected(
                infos[name]['img_path'],
                boxes[counts],
                labels[counts],
                boxes[~counts],
                *(of[seen] for of in (found, classes, scores)),
            )
        )
    return images


def of_data(info: dict) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (G, 4) of an image's instances and their labels (G,), -1 where they are ignored."""
    instances = info['instances']
    boxes = np.array([each['bbox'] for each in instances]).reshape(-1, 4)
    labels = [-1 if each['ignore_flag'] else each['bbox_label'] for each in instances]
    return boxes, np.array(labels, dtype=int)


def of_files(names: Sequence[str], metric: KittiMetric) -> list[tuple[np.ndarray, np.ndarray]]:
    """As :func:`of_data`, of the objects that the metric knows of each frame.

    It reads the label files itself, whatever the data set ignores. Those of a class that are too
    low, hidden or cut off are ignored, with the neighbours of the classes and DontCare.
    """
    objects = read_objects([f'{metric.label_dir}/{name}.txt' for name in names], known_types=None)
    labels, known = np.full(len(objects), -1), objects.types == 'DontCare'
    for label, name in enumerate(metric.dataset_meta['classes']):
        labels[valid_truths(objects, name, level_of(metric, name))] = label
        known |= np.isin(objects.types, (name, metric.limits_of(name).neighbour or name))
    frames = objects.frame[known]
    ends = np.searchsorted(frames, np.arange(1, len(names)))
    parts = (np.split(of[known], ends) for of in (objects.bbox, labels))
    return list(zip(*parts, strict=True))[: len(names)]


def level_of(metric: KittiMetric, name: str) -> Difficulty:
    """What ``LEVEL`` asks of a class."""
    heights = dict(zip(DIFFICULTIES, metric.limits_of(name).min_heights, strict=True))
    return DIFFICULTIES[LEVEL]._replace(min_height=heights[LEVEL])


def high_enough(boxes: np.ndarray, labels: np.ndarray, metric: KittiMetric) -> np.ndarray:
    """(D,) whether detections are not too low for the metric to see, which takes whole pixels."""
    classes = metric.dataset_meta['classes']
    least = np.array([level_of(metric, name).min_height for name in classes])
    boxes = boxes.astype(np.float64)
    return np.trunc(np.abs(boxes[:, 3] - boxes[:, 1])) >= least[labels]


def evaluators(config: Config) -> list[dict]:
    given = config.val_evaluator
    return given if isinstance(given, list) else [given]


def kitti_metric(config: Config, classes: Sequence[str]) -> KittiMetric | None:
    """By which the config evaluates; None if it does by another."""
    for each in evaluators(config):
        if METRICS.get(each['type']) is KittiMetric:
            metric = METRICS.build(dict(each, outfile_prefix=None, format_only=False))
            metric.dataset_meta = dict(classes=tuple(classes))
            return metric
    return None


def iou_thresholds(config: Config, classes: Sequence[str]) -> list[float]:
    """By class, what the IoU must reach.

    KITTI's limits; or the first of ``iou_thrs`` of the first evaluator of VOC's or COCO's kind; or
    ``IOU_THR``.
    """
    metric = kitti_metric(config, classes)
    if metric is not None:
        return [metric.limits_of(name).iou_thr for name in classes]
    of_boxes = (
        each
        for each in evaluators(config)
        if issubclass(METRICS.get(each['type']) or object, (VOCMetric, CocoMetric))
    )
    given = next(of_boxes, {}).get('iou_thrs') or IOU_THR
    return [given if isinstance(given, float) else given[0]] * len(classes)


def summary_of_dump(config: Config, work_dir: Path) -> dict[str, float]:
    """:func:`.errors.summary` of what a finished run dumped; empty where it dumped nothing."""
    file = work_dir / DUMPED
    if not file.is_file():
        return {}
    infos, classes = annotated(config)
    images = with_truths(infos, read(file), kitti_metric(config, classes))
    return summary(images, classes, iou_thresholds(config, classes))
