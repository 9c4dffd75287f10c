"""Detections of a training on the images that it is evaluated on, beside the truths of these."""

import io
import pickle
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmdet.registry import DATASETS, METRICS
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from tqdm import tqdm

from ..errors import UserError
from ..kitti.evaluation import DIFFICULTIES
from ..kitti.metric import KittiMetric
from ..launch import find_datasets, require_data
from ..launch.browsing import difficulty
from ..launch.models import build_detector
from ..training.files import write_whole
from .errors import Detected, summary
from .trainings import FINISHED

DUMPED = 'detections.pkl'  # what the last evaluation of a study's run leaves
IOU_THR = 0.5  # as VOC's and TIDE's, where an evaluator has none of its own
LOWEST = min(each.min_height for each in DIFFICULTIES.values())  # px; KITTI sees none below


class DetectionsError(UserError):
    """Detections that are not there, cannot be read, or are of other images."""


# --- made, and found again ------------------------------------------------------------------------


def last_checkpoint(work_dir: Path) -> Path | None:
    """The checkpoint of the largest epoch or iteration; None without any."""
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


def with_truths(infos: dict[str, dict], predictions: Sequence[dict]) -> list[Detected]:
    """Truths that count, and detections, of the images that have detections.

    Of KITTI's format count truths that are not beyond its hard level, and detections that are not
    lower than it sees.

    Raises:
        DetectionsError: an image is none of the data set.
    """
    images = []
    for each in predictions:
        info = infos.get(str(each['img_id']))
        if info is None:
            raise DetectionsError(
                f"there are detections of '{each['img_id']}', an image that is not in the data of "
                'the config; are they of another data set?'
            )
        of_kitti = any('occluded' in instance for instance in info['instances'])
        counts = [
            not instance['ignore_flag'] and (not of_kitti or bool(difficulty(instance)))
            for instance in info['instances']
        ]
        boxes = np.array([instance['bbox'] for instance in info['instances']]).reshape(-1, 4)
        labels = np.array([instance['bbox_label'] for instance in info['instances']], dtype=int)
        counts = np.array(counts, dtype=bool)
        given = (each['pred_instances'][name] for name in ('bboxes', 'labels', 'scores'))
        found, classes, scores = map(np.asarray, given)
        seen = (found[:, 3] - found[:, 1] >= LOWEST) | (not of_kitti)
        images.append(
            Detected(
                info['img_path'],
                boxes[counts],
                labels[counts],
                boxes[~counts],
                *(of[seen] for of in (found, classes, scores)),
            )
        )
    return images


def kitti_metric(config: Config, classes: Sequence[str]) -> KittiMetric | None:
    """By which the config evaluates; None if it does by another."""
    given = config.val_evaluator
    for each in given if isinstance(given, list) else [given]:
        if METRICS.get(each['type']) is KittiMetric:
            metric = METRICS.build(dict(each, outfile_prefix=None, format_only=False))
            metric.dataset_meta = dict(classes=tuple(classes))
            return metric
    return None


def iou_thresholds(config: Config, classes: Sequence[str]) -> list[float]:
    """By class, what the IoU must reach: KITTI's limits, or ``IOU_THR``."""
    metric = kitti_metric(config, classes)
    return [metric.limits_of(name).iou_thr if metric else IOU_THR for name in classes]


def summary_of_dump(config: Config, work_dir: Path) -> dict[str, float]:
    """:func:`.errors.summary` of what a finished run dumped; empty where it dumped nothing."""
    file = work_dir / DUMPED
    if not file.is_file():
        return {}
    infos, classes = annotated(config)
    return summary(with_truths(infos, read(file)), classes, iou_thresholds(config, classes))
