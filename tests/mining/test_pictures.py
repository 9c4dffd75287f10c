"""What is mined in one image, on hand-worked numbers, and what is drawn of it."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmdet_lrm.mining.pictures import (
    MinedImage,
    MiningPictureError,
    annotated_pipeline,
    dots,
    draw_mining,
    easiest_kept,
    groups,
    level_maps,
    mined_image,
    rgb,
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
    truths = InstanceData(bboxes=torch.tensor([[0.0, 0, 8, 8]]), labels=torch.tensor([0]))
    ignored = torch.tensor([[16.0, 0, 32, 16]])
    meta = dict(img_shape=(16, 32), scale_factor=(0.5, 0.5))
    return dict(
        inputs=torch.tensor([1, 2, 3], dtype=torch.uint8)[:, None, None].expand(3, 16, 32),
        data_samples=DetDataSample(
            metainfo=meta, gt_instances=truths, ignored_instances=InstanceData(bboxes=ignored)
        ),
    )


def test_what_is_mined_is_in_pixels_of_the_input_and_knows_the_positive():
    mined = mined_image(model(dict(type='LRMLoss', hard_ratio=1.0)), sample())
    assert (mined.image.shape, mined.image[0, 0].tolist()) == ((16, 32, 3), [3, 2, 1])  # RGB
    assert (mined.grids, mined.strides) == (((4, 8, 1),), ((4, 4),))
    # The truth's centre (4, 4) is in the second cell of the second row, whose centre is (6, 6).
    assert mined.priors[mined.positive].tolist() == [[2, 2, 10, 10]]
    # The right half is ignored.
    assert mined.valid.reshape(4, 8)[:, 5:].sum() == 0 and mined.valid.reshape(4, 8)[:, :4].all()
    assert np.array_equal(mined.kept, mined.valid)
    assert mined.ignored.tolist() == [[16, 0, 32, 16]] and mined.labels.tolist() == [0]


def test_only_the_hardest_are_kept_and_the_network_stays_as_it_was():
    network = model(dict(type='LRMLoss', num_hard=5)).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    mined = mined_image(network, sample())
    assert mined.kept.sum() == 5
    assert mined.loss[mined.kept].min() >= mined.loss[mined.valid & ~mined.kept].max()
    assert network.training and network.backbone.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_a_model_that_does_not_mine_is_refused_with_the_remedy():
    with pytest.raises(MiningPictureError, match=r'YOLOV2Head has no lrm.*--cfg-options'):
        mined_image(model(None), sample())
    with pytest.raises(MiningPictureError, match='Linear does not rank its priors'):
        mined_image(torch.nn.ModuleDict(dict(bbox_head=torch.nn.Linear(1, 1))), sample())


def test_truths_are_loaded_before_the_image_is_resized():
    load, resize = dict(type='LoadImageFromFile'), dict(type='Resize', scale=(4, 4))
    pack = dict(type='PackDetInputs')
    truths = dict(type='LoadAnnotations', with_bbox=True)
    for given in ([load, resize, truths, pack], [load, resize, pack]):
        names = [type(each).__name__ for each in annotated_pipeline(given).transforms]
        assert names == ['LoadImageFromFile', 'LoadAnnotations', 'Resize', 'PackDetInputs']


@pytest.fixture
def mined():
    """Two levels: 1 x 2 cells of two base priors, and one cell of one. The last but one is ignored.

    A positive trains, a positive is filtered, a negative trains, a negative is filtered.
    """
    centers = np.array([[8, 8], [8, 8], [24, 8], [24, 8], [16, 16]])
    return MinedImage(
        image=np.full((32, 32, 3), 200, np.uint8),
        truths=np.array([[4.0, 4, 12, 12]]),
        labels=np.array([1]),
        ignored=np.array([[20.0, 20, 30, 30]]),
        priors=np.hstack([centers - 4, centers + 4]).astype(float),
        loss=np.array([4.0, 0.5, 2.0, 9.0, 0.25]),
        valid=np.array([1, 1, 1, 0, 1]) > 0,
        positive=np.array([1, 1, 0, 0, 0]) > 0,
        kept=np.array([1, 0, 1, 0, 0]) > 0,
        grids=((1, 2, 2), (1, 1, 1)),
        strides=((16, 16), (32, 32)),
    )


def test_a_cell_has_the_largest_loss_of_its_valid_priors(mined):
    assert [each.tolist() for each in level_maps(mined)] == [[[4.0, 2.0]], [[0.25]]]
    nothing = mined._replace(valid=np.array([0, 0, 1, 1, 1]) > 0)
    assert np.isnan(level_maps(nothing)[0]).tolist() == [[True, False]]


def test_the_loss_at_the_rank_is_that_of_the_easiest_negative_that_trains(mined):
    assert easiest_kept(mined) == 2.0
    assert easiest_kept(mined._replace(kept=mined.positive)) is None


def test_every_valid_prior_is_in_one_group(mined):
    easy, hard, trains, filtered = groups(mined)
    assert [np.flatnonzero(each).tolist() for each in (easy, hard, trains, filtered)] == [
        *([4], [2], [0], [1])
    ]


def test_priors_of_a_cell_are_drawn_side_by_side(mined):
    x, y = dots(mined)
    # Two columns of two base priors: 0.8 * 16 / 2 px apart, in the first of two rows.
    assert x.tolist() == pytest.approx([4.8, 11.2, 20.8, 27.2, 16])
    assert y.tolist() == pytest.approx([4.8, 4.8, 4.8, 4.8, 16])


def test_the_picture_tells_what_trains_and_what_is_hardest(mined):
    figure = draw_mining(mined, ('Bus', 'Car'), 'iteration 7')
    first, coarse, fine, kept, hardest, *_ = figure.axes
    assert figure.get_suptitle() == 'iteration 7'
    assert first.get_title() == 'objects: 1, ignored regions: 1'
    assert [text.get_text() for text in first.texts] == ['Car']
    assert coarse.get_title() == 'largest loss of each cell, 1 x 2 cells'
    assert fine.images[1].get_extent() == [0, 32, 32, 0]
    assert kept.get_title() == '2 of 4 priors train; of objects 1 of 2'
    drawn = {each.get_label(): each.get_offsets().data.tolist() for each in kept.collections}
    assert drawn['of an object: filtered'] == [pytest.approx([11.2, 4.8])]
    assert drawn['hard background: trains'] == [pytest.approx([20.8, 4.8])]
    assert hardest.get_title() == 'priors of the 2 largest losses, 4 to 2'
    assert [text.get_text() for text in hardest.texts] == ['2', '1']  # the hardest on top
    assert hardest.patches[-1].get_bbox().extents.tolist() == [4, 4, 12, 12]


def test_legend_and_scale_cover_no_panel(mined):
    figure = draw_mining(mined)
    assert rgb(figure).shape[2] == 3
    (legend,) = figure.legends
    covered = legend.get_window_extent()
    assert not any(covered.overlaps(axes.get_tightbbox()) for axes in figure.axes)


def test_an_image_without_objects_is_drawn(mined):
    none = mined._replace(
        truths=np.zeros((0, 4)), labels=np.zeros(0, int), positive=np.zeros(5, bool)
    )
    _, _, _, kept, *_ = draw_mining(none, ('Bus',)).axes
    assert kept.get_title() == '2 of 4 priors train; of objects 0 of 0'
