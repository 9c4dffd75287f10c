"""Average precision of any selection of the evaluated images, from the detections of one run.

An evaluation over images drawn with replacement (a bootstrap; Efron & Tibshirani, "An Introduction
to the Bootstrap", 1993) shows how much of a result hangs on which images happen to be in the set.
Matching detections with truths is done once; a selection only counts again.

Every class here has ``names`` of the values that ``evaluate`` gives, the main one first, and
``curves``, precision at equal steps of recall from 0 to 1.
"""

import contextlib
import io
from collections.abc import Sequence

import numpy as np
from mmdet.evaluation.functional.mean_ap import average_precision, tpfp_default

from ..kitti.evaluation import DIFFICULTIES, KITTI_CLASSES, evaluate, flat_metrics
from ..kitti.labels import KittiObjects, read_objects

VOC_POINTS = np.linspace(0, 1, 101)


class KittiImages:
    """KITTI's AP40 in percent.

    Args:
        predictions: of each image a dict as DumpDetResults writes it: ``img_id`` and
            ``pred_instances`` with ``bboxes``, ``scores`` and ``labels``.
        classes: names of the labels.
        label_dir: folder of the label files.
    """

    def __init__(self, predictions: Sequence[dict], classes: Sequence[str], label_dir: str) -> None:
        self.num_images = len(predictions)
        self.classes = [name for name in classes if name in KITTI_CLASSES]
        self.truths = read_objects([f'{label_dir}/{each["img_id"]}.txt' for each in predictions])
        found = [each['pred_instances'] for each in predictions]
        self.detections = KittiObjects.from_detections(
            frame=np.repeat(np.arange(len(found)), [len(each['scores']) for each in found]),
            types=np.array(classes)[np.concatenate([each['labels'] for each in found])],
            bbox=np.concatenate([each['bboxes'] for each in found]),
            score=np.concatenate([each['scores'] for each in found]),
        )
        self.names = [f'kitti/{level}_AP40' for level in ('moderate', 'easy', 'hard')]
        self.names += [
            f'kitti/{name}_{level}_AP40' for name in self.classes for level in DIFFICULTIES
        ]

    def evaluate(self, images: np.ndarray) -> dict[str, float]:
        """AP of the images with these indices, in any order, repeated or not."""
        truths, detections = _select(self.truths, images), _select(self.detections, images)
        metrics = flat_metrics(evaluate(truths, detections, self.classes))
        return {f'kitti/{key}': value for key, value in metrics.items() if key.endswith('AP40')}

    def curves(self) -> dict[str, list[float]]:
        """Precision at 41 points of recall, by class, at moderate difficulty."""
        by_class = evaluate(self.truths, self.detections, self.classes)
        return {name: by_class[name]['moderate']['precision'] for name in self.classes}


def _select(objects: KittiObjects, images: np.ndarray) -> KittiObjects:
    """The objects of these frames, which become frames 0, 1, ..."""
    begin = np.searchsorted(objects.frame, images, side='left')
    num = np.searchsorted(objects.frame, images, side='right') - begin
    inds = np.repeat(begin - np.concatenate([[0], num.cumsum()[:-1]]), num) + np.arange(num.sum())
    selected = objects[inds]
    selected.frame[:] = np.repeat(np.arange(len(images)), num)
    return selected


class VOCImages:
    """VOC's AP, by the area or by 11 points, of each class and their mean, as VOCMetric counts it.

    Args:
        predictions: as of :class:`KittiImages`.
        truths: of each image ``bboxes``, ``labels``, ``bboxes_ignore`` and ``labels_ignore``.
        classes: names of the labels.
        iou_thr: of a match.
        eval_mode: ``'area'`` or ``'11points'``.
    """

    def __init__(
        self,
        predictions: Sequence[dict],
        truths: Sequence[dict],
        classes: Sequence[str],
        iou_thr: float = 0.5,
        eval_mode: str = 'area',
    ) -> None:
        self.num_images = len(predictions)
        self.classes = list(classes)
        self.eval_mode = eval_mode
        self.names = ['voc/mAP', *(f'voc/{name}_AP' for name in self.classes)]
        # By class and image: scores, hits, and the number of truths.
        self.matches = [
            [
                self._match(each['pred_instances'], truth, label, iou_thr)
                for each, truth in zip(predictions, truths, strict=True)
            ]
            for label in range(len(self.classes))
        ]

    @staticmethod
    def _match(
        found: dict, truth: dict, label: int, iou_thr: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        of_class = np.asarray(found['labels']) == label
        scores = np.asarray(found['scores'])[of_class]
        boxes = np.concatenate([np.asarray(found['bboxes'])[of_class], scores[:, None]], axis=1)
        own = truth['bboxes'][truth['labels'] == label].reshape(-1, 4)
        ignored = truth['bboxes_ignore'][truth['labels_ignore'] == label].reshape(-1, 4)
        # The devkit counts a box from its first to its last pixel, as VOCMetric does.
        hit, miss = tpfp_default(boxes, own, ignored, iou_thr, use_legacy_coordinate=True)
        return scores, hit[0], miss[0], len(own)

    def _curve(self, label: int, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """Recall and precision by falling score, and the number of truths."""
        scores, hits, misses, nums = zip(*(self.matches[label][i] for i in images), strict=True)
        order = np.argsort(-np.concatenate(scores))
        hits = np.concatenate(hits)[order].cumsum()
        misses = np.concatenate(misses)[order].cumsum()
        eps = np.finfo(np.float32).eps
        return hits / max(sum(nums), eps), hits / np.maximum(hits + misses, eps), sum(nums)

    def evaluate(self, images: np.ndarray) -> dict[str, float]:
        values = {}
        for label, name in enumerate(self.classes):
            recall, precision, num_truths = self._curve(label, images)
            if num_truths:
                values[f'voc/{name}_AP'] = float(
                    average_precision(recall, precision, self.eval_mode)
                )
        return {'voc/mAP': float(np.mean(list(values.values()))) if values else 0.0} | values

    def curves(self) -> dict[str, list[float]]:
        """Largest precision from each of 101 points of recall on, by class."""
        curves = {}
        for label, name in enumerate(self.classes):
            recall, precision, _ = self._curve(label, np.arange(self.num_images))
            envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
            curves[name] = envelope[np.searchsorted(recall, VOC_POINTS, side='left')].tolist()
        return curves


class CocoImages:
    """COCO's AP over IoU 0.5 to 0.95, at 0.5, at 0.75 and of small, medium and large objects.

    Args:
        predictions: as of :class:`KittiImages`.
        ann_file: COCO's annotations.
        cat_ids: category of each label.
    """

    names = tuple(
        f'coco/bbox_{name}' for name in ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
    )

    def __init__(self, predictions: Sequence[dict], ann_file: str, cat_ids: Sequence[int]) -> None:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        self.num_images = len(predictions)
        self.cat_ids = list(cat_ids)
        rows = [
            dict(
                image_id=each['img_id'],
                category_id=self.cat_ids[int(label)],
                score=float(score),
                bbox=[float(x1), float(y1), float(x2 - x1), float(y2 - y1)],
            )
            for each in predictions
            for (x1, y1, x2, y2), score, label in zip(
                *(
                    np.asarray(each['pred_instances'][key])
                    for key in ('bboxes', 'scores', 'labels')
                ),
                strict=True,
            )
        ]
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(ann_file)
            self.coco = COCOeval(truth, truth.loadRes(rows) if rows else COCO(), 'bbox')
            self.coco.params.catIds = self.cat_ids
            self.coco.params.imgIds = sorted(each['img_id'] for each in predictions)
            self.coco.evaluate()
        self.by_image = np.array(self.coco.evalImgs, dtype=object).reshape(-1, self.num_images)

    def evaluate(self, images: np.ndarray) -> dict[str, float]:
        self.coco.evalImgs = self.by_image[:, images].ravel().tolist()
        # Repeated images need numbers of their own.
        numbers = list(range(len(images)))
        self.coco.params.imgIds = self.coco._paramsEval.imgIds = numbers
        with contextlib.redirect_stdout(io.StringIO()):
            self.coco.accumulate()
            self.coco.summarize()
        return dict(zip(self.names, map(float, self.coco.stats[:6]), strict=True))

    def curves(self) -> dict[str, list[float]]:
        """Precision at 101 points of recall, at IoU 0.5, over all classes."""
        self.evaluate(np.arange(self.num_images))
        precision = self.coco.eval['precision'][0, :, :, 0, -1]
        return {'all': np.where(precision < 0, 0, precision).mean(axis=1).tolist()}


def bootstrap(
    evaluated: KittiImages | VOCImages | CocoImages, number: int, seed: int = 0
) -> dict[str, list[float]]:
    """Values over images drawn with replacement.

    The drawing depends on the seed and the number of images alone, so the values of two runs on the
    same images, in the same order, are pairs.

    Returns:
        By name, ``number`` values; NaN where a class has no truth in a drawing.
    """
    rng = np.random.default_rng(seed)
    drawn = [
        evaluated.evaluate(rng.integers(0, evaluated.num_images, evaluated.num_images))
        for _ in range(number)
    ]
    return {name: [each.get(name, float('nan')) for each in drawn] for name in evaluated.names}
