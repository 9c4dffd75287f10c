"""What the metric with each class's AP takes of VOCMetric's options."""

import numpy as np
import pytest

from mmdet_lrm.voc_metric import VOCClassMetric

# Two truths, one of which is found, by a box that has 80 of its 100 px.
TRUTHS = dict(
    labels=np.array([0, 0]),
    bboxes=np.array([[0, 0, 9, 9], [50, 0, 59, 9.0]]),
    bboxes_ignore=np.zeros((0, 4)),
    labels_ignore=np.zeros(0, dtype=int),
)
FOUND = [np.array([[0, 0, 7, 9, 0.9]]), np.zeros((0, 5))]


@pytest.mark.parametrize(('iou_thrs', 'expected'), [(0.5, 0.5), ([0.9, 0.5], 0.0)])
def test_the_first_threshold_counts(iou_thrs, expected):
    metric = VOCClassMetric(iou_thrs=iou_thrs, eval_mode='area')
    metric.dataset_meta = dict(classes=('a', 'b'))
    found = metric.compute_metrics([(TRUTHS, FOUND)])
    assert found == {'mAP': expected, 'a_AP': expected}


def test_ranges_of_sizes_are_refused_since_boxes_of_all_sizes_are_evaluated():
    with pytest.raises(ValueError, match=r'scale_ranges is \[\(0, 32\)\].*remove it'):
        VOCClassMetric(scale_ranges=[(0, 32)])
