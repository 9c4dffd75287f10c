import numpy as np
import pytest
import torch
from mmdet.registry import MODELS

from mmdet_lrm.mining.pictures import (
    HARD_NEGATIVE,
    POSITIVE,
    TITLE_HEIGHT,
    MinedPriors,
    draw_boxes,
    draw_mined,
    mined_priors,
    side_by_side,
)


def model(lrm):
    return MODELS.build(
        dict(
            type='SingleStageDetector',
            data_preprocessor=dict(type='DetDataPreprocessor'),
            backbone=dict(type='TinyYOLOV2', channels=(4, 8), pools=(2, 2)),
            bbox_head=dict(
                type='YOLOV2Head',
                num_classes=2,
                in_channels=8,
                anchor_generator=dict(
                    type='YOLOAnchorGenerator', base_sizes=[[(8.0, 8.0)]], strides=[4]
                ),
                lrm=lrm,
            ),
        )
    ).eval()


def sample():
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    truths = InstanceData(bboxes=torch.tensor([[0.0, 0, 8, 8]]), labels=torch.tensor([0]))
    meta = dict(img_shape=(16, 32), scale_factor=(0.5, 0.5))
    return dict(
        inputs=torch.zeros(3, 16, 32, dtype=torch.uint8),
        data_samples=DetDataSample(metainfo=meta, gt_instances=truths),
    )


def test_mined_priors_are_in_pixels_of_the_file_and_know_the_positives():
    mined = mined_priors(model(dict(type='LRMLoss', hard_ratio=1.0)), sample())
    assert mined.num_priors == len(mined.centers) == 4 * 8
    # The truth's centre (4, 4) is in the second cell of the second row, whose centre is (6, 6).
    assert mined.centers[mined.positive].tolist() == [[12.0, 12.0]]


def test_only_the_kept_priors_are_given():
    assert len(mined_priors(model(dict(type='LRMLoss', num_hard=5)), sample()).centers) == 5


def test_a_model_without_mining_is_refused():
    with pytest.raises(ValueError, match=r'YOLOV2Head has no lrm'):
        mined_priors(model(None), sample())


def test_mined_priors_are_drawn_at_their_centres():
    image = np.full((40, 60, 3), 200, np.uint8)
    drawn = draw_mined(image, MinedPriors(np.array([[10, 10], [40, 30]]), np.array([1, 0]) > 0, 9))
    assert tuple(drawn[10, 10]) == POSITIVE
    assert tuple(drawn[30, 40]) == HARD_NEGATIVE
    assert tuple(drawn[0, 59]) == (90, 90, 90)


def test_boxes_are_drawn_on_a_copy():
    image = np.zeros((40, 60, 3), np.uint8)
    drawn = draw_boxes(image, np.array([[10, 20, 30, 35]]), ['Car'], [(9, 8, 7)])
    assert tuple(drawn[20, 20]) == (9, 8, 7)
    assert image.max() == 0
    assert np.array_equal(draw_boxes(image, np.zeros((0, 4)), [], []), image)


def test_panels_fill_rows_and_the_rest_is_white():
    panels = [('one', np.zeros((10, 20, 3), np.uint8))] * 3
    picture = side_by_side(panels, columns=2)
    assert picture.shape == (2 * (10 + TITLE_HEIGHT), 40, 3)
    assert (picture[-10:, 20:] == 255).all()
