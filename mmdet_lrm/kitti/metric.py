"""KITTI's official 2D detection metric for MMEngine's evaluator."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from .evaluation import KITTI_LIMITS, Limits, evaluate, flat_metrics, table_rows
from .labels import read_objects
from .objects import KITTI_TYPES, KittiObjects
from .results import write_results


@METRICS.register_module()
class KittiMetric(BaseMetric):
    """AP11 and AP40 of the dataset's classes at three difficulties, in percent.

    Those of Car, Pedestrian and Cyclist are the values of the development kit
    (:func:`~.evaluation.evaluate`); other classes are evaluated in the same way, within limits of
    their own, which the log states. The truth is read from the label files by ``img_id``, so
    nothing that the pipeline does to boxes changes it; DontCare and neighbour classes count as in
    the benchmark whatever the dataset ignores.

    Keys, under the prefix ``kitti``: ``moderate_AP40``, ``moderate_AP11``, ``easy_AP40``,
    ``easy_AP11``, ``hard_AP40``, ``hard_AP11``, each the mean over the classes, then
    ``Car_easy_AP40`` and so on. A class without truths counts as 0 and is named in a warning.

    Args:
        label_dir: Folder of the label files, ``000123.txt``. Not needed with ``format_only``.
        outfile_prefix: Folder to write the detections to in the benchmark's submission format,
            one file per frame. None writes nothing.
        format_only: Write the detections and evaluate nothing, for frames without labels.
        limits: By class, for those that KITTI has no limits of: a dict with some of ``iou_thr``
            (default 0.5), ``neighbour``, a type that is neither right nor wrong (default none), and
            ``min_heights`` in px, of easy, moderate and hard (default KITTI's 40, 25, 25).
        kwargs: Of :class:`mmengine.evaluator.BaseMetric`: collect_device, prefix, collect_dir.

    Raises:
        ValueError: ``format_only`` without ``outfile_prefix``; neither a label folder nor
            ``format_only``; limits of a class of KITTI's, or that are none.
        FileNotFoundError: ``label_dir`` is missing.
    """

    default_prefix = 'kitti'

    def __init__(
        self,
        label_dir: str | None = None,
        outfile_prefix: str | None = None,
        format_only: bool = False,
        limits: Mapping[str, Mapping] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if format_only and outfile_prefix is None:
            raise ValueError('format_only=True needs outfile_prefix, the folder to write to')
        if not format_only and label_dir is None:
            raise ValueError(
                'label_dir is None; give the folder of the label files, or format_only=True to '
                'write detections only'
            )
        if not format_only and not Path(label_dir).is_dir():
            raise FileNotFoundError(
                f'label_dir {label_dir} is not a folder; give the one with the label files, such '
                'as data/kitti/training/label_2. tools/prepare_kitti.py makes it'
            )
        self.label_dir = label_dir
        self.outfile_prefix = outfile_prefix
        self.format_only = format_only
        self.limits = KITTI_LIMITS | {
            name: _own_limits(name, dict(given)) for name, given in (limits or {}).items()
        }

    def process(self, data_batch, data_samples: Sequence[dict]) -> None:
        """Keep the detections of a batch: ``pred_instances`` in px of the image file."""
        for sample in data_samples:
            predicted = sample['pred_instances']
            arrays = (predicted[key].cpu().numpy() for key in ('labels', 'bboxes', 'scores'))
            self.results.append((sample['img_id'], *arrays))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Evaluate the detections of all processes; runs in the main process only."""
        if not results:
            raise ValueError('no frame was evaluated; is the dataset of the evaluation empty?')
        # A sampler other than mmengine's may give a frame twice; the detections are the same.
        results = list({result[0]: result for result in results}.values())
        logger = MMLogger.get_current_instance()
        if self.outfile_prefix is not None:
            folder, names = Path(self.outfile_prefix), np.array(self.dataset_meta['classes'])
            folder.mkdir(parents=True, exist_ok=True)
            for frame_id, label, bbox, score in results:
                write_results(folder / f'{frame_id}.txt', names[label], bbox, score)
            logger.info(f'Detections of {len(results)} frames are in {folder}')
        if self.format_only:
            return {}
        by_class = self.evaluated(results)
        absent = [name for name in by_class if by_class[name]['hard']['num_truths'] == 0]
        if absent:
            logger.warning(f'No truth of {absent} in {len(results)} frames: their AP is 0')
        table = AsciiTable(table_rows(by_class)).table
        logger.info(f'KITTI, {len(results)} frames, AP in percent\n{table}')
        for name in sorted(set(by_class) - set(KITTI_LIMITS)):
            limits = self.limits_of(name)
            logger.info(f"{name} is no class of KITTI's benchmark; evaluated with {limits}")
        return flat_metrics(by_class)

    def limits_of(self, name: str) -> Limits:
        return self.limits.get(name, Limits())

    def evaluated(self, results: list[tuple]) -> dict[str, dict[str, dict]]:
        """What :func:`~.evaluation.evaluate` finds, by class and difficulty.

        Args:
            results: of each frame its id, and labels, boxes and scores of its detections.
        """
        classes = tuple(self.dataset_meta['classes'])
        frame_ids, labels, bboxes, scores = zip(*results, strict=True)
        detections = KittiObjects.from_detections(
            frame=np.repeat(np.arange(len(frame_ids)), [len(of_frame) for of_frame in scores]),
            types=np.array(classes)[np.concatenate(labels)],
            bbox=np.concatenate(bboxes),
            score=np.concatenate(scores),
        )
        # What else may stand in files with types of their own, the dataset has checked.
        known_types = KITTI_TYPES if set(classes) <= set(KITTI_TYPES) else None
        paths = [f'{self.label_dir}/{frame_id}.txt' for frame_id in frame_ids]
        truths = read_objects(paths, known_types=known_types)
        return evaluate(truths, detections, classes, {n: self.limits_of(n) for n in classes})


def _own_limits(name: str, given: dict) -> Limits:
    """Limits of a class that KITTI has none of, from the config.

    Raises:
        ValueError: They are none.
    """
    if name in KITTI_LIMITS:
        raise ValueError(
            f"KittiMetric.limits has {name}, whose limits are KITTI's ({KITTI_LIMITS[name]}); "
            'remove it'
        )
    allowed = ', '.join(f'{key}={value!r}' for key, value in Limits()._asdict().items())
    try:
        limits = Limits(**given)
        heights = tuple(limits.min_heights)
        whole = len(heights) == 3 and all(type(each) is int and each >= 0 for each in heights)
        if whole and 0 < limits.iou_thr < 1:
            return limits._replace(min_heights=heights)
    except TypeError:
        pass
    raise ValueError(
        f'KittiMetric.limits of {name} are {given}; they may be iou_thr in (0, 1), neighbour, a '
        f'type, and min_heights, three integers in px. Without them: {allowed}'
    )
