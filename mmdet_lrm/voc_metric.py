"""The AP of each class in VOC's layout, which MMDetection prints and does not report."""

from collections.abc import Sequence

from mmdet.evaluation import eval_map
from mmdet.evaluation.metrics import VOCMetric
from mmdet.registry import METRICS


@METRICS.register_module()
class VOCClassMetric(VOCMetric):
    """VOCMetric's mAP at one threshold, with the AP of each class that has objects.

    Reports shares under the prefix ``voc``: ``voc/mAP``, ``voc/{class}_AP``. The arguments are
    VOCMetric's; of several ``iou_thrs`` the first counts.

    Raises:
        ValueError: ``scale_ranges``, of which VOCMetric, which has them, reports no mAP either.
    """

    default_prefix = 'voc'

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.scale_ranges is not None:
            raise ValueError(
                f'scale_ranges is {self.scale_ranges}, and VOCClassMetric evaluates boxes of all '
                'sizes together; remove it'
            )

    def compute_metrics(self, results: Sequence[tuple]) -> dict[str, float]:
        truths, found = zip(*results, strict=True)
        mean, by_class = eval_map(
            found,
            truths,
            iou_thr=self.iou_thrs[0],
            logger='silent',
            eval_mode=self.eval_mode,
            # The devkit counts a box from its first to its last pixel.
            use_legacy_coordinate=True,
        )
        names = self.dataset_meta['classes']
        return {'mAP': float(mean)} | {
            f'{name}_AP': float(each['ap'])
            for name, each in zip(names, by_class, strict=True)
            if each['num_gts']
        }
