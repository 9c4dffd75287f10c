"""The known effect of a study: labels that are dropped in training."""

import numpy as np
import pytest
from mmdet.registry import TRANSFORMS


def load(number, name, **options):
    instances = [dict(bbox=[i, 0, i + 1, 1], bbox_label=0, ignore_flag=0) for i in range(number)]
    results = dict(img_id=name, img_shape=(10, 10), instances=instances)
    loading = TRANSFORMS.build(dict(type='LoadFewerAnnotations', with_bbox=True, **options))
    boxes = loading(results)['gt_bboxes'].numpy()
    assert len(instances) == number
    return boxes[:, 0].astype(int).tolist()


def test_a_tenth_of_many_labels_is_dropped_and_always_the_same():
    kept = load(10000, 'a', drop_share=0.1)
    # Five standard deviations, of 30 each.
    assert abs(len(kept) - 9000) < 150 and len(set(kept)) == len(kept)
    np.random.seed(5)
    assert load(10000, 'a', drop_share=0.1) == kept
    assert load(10000, 'b', drop_share=0.1) != kept
    assert load(10000, 'a', drop_share=0.1, drop_seed=1) != kept


def test_what_a_smaller_share_drops_a_larger_one_drops_too():
    few, many = set(load(100, 'a', drop_share=0.5)), set(load(100, 'a', drop_share=0.1))
    assert few < many < set(range(100))


def test_without_a_share_or_without_labels_nothing_changes():
    assert load(5, 'a', drop_share=0) == [0, 1, 2, 3, 4]
    assert load(0, 'a', drop_share=0.5) == []


@pytest.mark.parametrize('share', [-0.1, 1, 2])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match=r'drop_share is .*; it must lie in \[0, 1\)'):
        load(1, 'a', drop_share=share)
