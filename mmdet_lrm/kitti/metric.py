"""KITTI's official 2D detection metric for MMEngine's evaluator."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from .evaluation import KITTI_CLASSES, evaluate, flat_metrics, table_rows
from .labels import read_objects
from .objects import KittiObjects
from .results import write_results


@METRICS.register_module()
class KittiMetric(BaseMetric):
    """AP11 and AP40 for Car, Pedestrian and Cyclist at three difficulties, in percent.

    The values are those of the development kit (:func:`~.evaluation.evaluate`). The truth is read
    from the label files by ``img_id``, so nothing that the pipeline does to boxes changes it;
    DontCare and neighbour classes count as in the benchmark whatever the dataset ignores.

    Keys, under the prefix ``kitti``: ``moderate_AP40``, ``moderate_AP11``, ``easy_AP40``,
    ``easy_AP11``, ``hard_AP40``, ``hard_AP11``, each the mean over the evaluated classes, then
    ``Car_easy_AP40`` and so on. A class without truths counts as 0 and is named in a warning.

    Args:
        label_dir: Folder of the label files, ``000123.txt``. Not needed with ``format_only``.
        outfile_prefix: Folder to write the detections to in the benchmark's submission format,
            one file per frame. None writes nothing.
        format_only: Write the detections and evaluate nothing, for frames without labels.
        kwargs: Of :class:`mmengine.evaluator.BaseMetric`: collect_device, prefix, collect_dir.

    Raises:
        ValueError: ``format_only`` without ``outfile_prefix``; neither a label folder nor
            ``format_only``.
        FileNotFoundError: ``label_dir`` is missing.
    """

    default_prefix = 'kitti'

    def __init__(
        self,
        label_dir: str | None = None,
        outfile_prefix: str | None = None,
        format_only: bool = False,
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

    def process(self, data_batch, data_samples: Sequence[dict]) -> None:
        """Keep the detections of a batch: ``pred_instances`` in px of the image file."""
        for sample in data_samples:
            predicted = sample['pred_instances']
            arrays = (predicted[key].cpu().numpy() for key in ('labels', 'bboxes', 'scores'))
            self.results.append((sample['img_id'], *arrays))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Evaluate the detections of all processes; runs in the main process only."""
        names = np.array(self.dataset_meta['classes'])
        evaluated = [name for name in names.tolist() if name in KITTI_CLASSES]
        if not evaluated and not self.format_only:
            raise ValueError(
                f'the classes of the dataset are {names.tolist()}; at least one must be of '
                f'{KITTI_CLASSES}. Use VOCMetric or CocoMetric for other classes'
            )
        if not results:
            raise ValueError('no frame was evaluated; is the dataset of the evaluation empty?')
        # A sampler other than mmengine's may give a frame twice; the detections are the same.
        results = list({result[0]: result for result in results}.values())
        frame_ids, labels, bboxes, scores = zip(*results, strict=True)
        logger = MMLogger.get_current_instance()
        if self.outfile_prefix is not None:
            folder = Path(self.outfile_prefix)
            folder.mkdir(parents=True, exist_ok=True)
            for frame_id, label, bbox, score in results:
                write_results(folder / f'{frame_id}.txt', names[label], bbox, score)
            logger.info(f'Detections of {len(frame_ids)} frames are in {folder}')
        if self.format_only:
            return {}
        detections = KittiObjects.from_detections(
            frame=np.repeat(np.arange(len(frame_ids)), [len(of_frame) for of_frame in scores]),
            types=names[np.concatenate(labels)],
            bbox=np.concatenate(bboxes),
            score=np.concatenate(scores),
        )
        truths = read_objects([f'{self.label_dir}/{frame_id}.txt' for frame_id in frame_ids])
        by_class = evaluate(truths, detections, evaluated)
        absent = [n for n in evaluated if by_class[n]['hard']['num_truths'] == 0]
        if absent:
            logger.warning(f'No truth of {absent} in {len(frame_ids)} frames: their AP is 0')
        table = AsciiTable(table_rows(by_class)).table
        logger.info(f'KITTI, {len(frame_ids)} frames, AP in percent\n{table}')
        return flat_metrics(by_class)
