import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms
from models_of_onnx import canned, run

from mmdet_lrm.deploy.survivors import survivors, with_survivors


def test_the_nms_of_the_graph_drops_what_overlaps_a_better_box_of_its_class():
    # The second overlaps the first by 0.8; the third touches none.
    boxes = np.array([[[0, 0, 10, 10], [0, 0, 10, 8], [20, 0, 30, 10]]])
    scores = np.array([[[0.9, 0.0], [0.8, 0.3], [0.0, 0.7]]])
    found = run(with_survivors(canned(boxes, scores), iou_thr=0.5, max_per_img=4))
    np.testing.assert_allclose(found[1], [[0.9, 0.7, 0.3, 0.0]], rtol=1e-6)
    assert found[2][0, :3].tolist() == [0, 1, 1]
    np.testing.assert_array_equal(found[0][0, :3], boxes[0, [0, 2, 1]])


def test_boxes_that_overlap_by_just_the_threshold_both_stay():
    boxes = np.array([[[0, 0, 10, 10], [0, 0, 10, 5]]])
    scores = np.array([[[0.9], [0.8]]])
    assert (run(with_survivors(canned(boxes, scores), 0.5, 2))[1] > 0).sum() == 2
    assert (run(with_survivors(canned(boxes, scores), 0.49, 2))[1] > 0).sum() == 1


def test_an_image_has_max_per_img_rows_of_its_highest_scores_and_a_batch_is_image_by_image():
    boxes = np.zeros((2, 3, 4)) + np.arange(3)[:, None] * 20 + [0, 0, 10, 10]
    scores = np.array([[[0.1], [0.5], [0.3]], [[0.0], [0.0], [0.2]]])
    found = run(with_survivors(canned(boxes, scores), 0.5, 2), images=2)
    np.testing.assert_allclose(found[1], [[0.5, 0.3], [0.2, 0.0]], rtol=1e-6)
    np.testing.assert_array_equal(found[0][0], boxes[0, [1, 2]])
    np.testing.assert_array_equal(found[0][1, 0], boxes[1, 2])


def test_without_a_limit_every_candidate_has_a_row():
    boxes, scores = np.zeros((1, 3, 4)), np.zeros((1, 3, 2))
    assert run(with_survivors(canned(boxes, scores), 0.5, -1))[1].shape == (1, 6)


@pytest.mark.parametrize('seed', range(3))
def test_the_nms_of_the_graph_keeps_what_mmcv_keeps(seed):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 50, (1, 60, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 30, (1, 60, 2))], axis=-1)
    scores = rng.uniform(0, 1, (1, 60, 3)) * (rng.uniform(0, 1, (1, 60, 3)) > 0.5)
    found = run(with_survivors(canned(boxes, scores), 0.45, 20))
    priors, labels = np.nonzero(scores[0])
    dets, kept = batched_nms(
        torch.tensor(boxes[0, priors], dtype=torch.float32),
        torch.tensor(scores[0, priors, labels], dtype=torch.float32),
        torch.tensor(labels),
        dict(type='nms', iou_threshold=0.45),
    )
    np.testing.assert_allclose(found[1][0], dets[:20, 4], rtol=1e-6)
    np.testing.assert_allclose(found[0][0], dets[:20, :4], rtol=1e-6)
    assert found[2][0].tolist() == labels[kept[:20]].tolist()


@pytest.mark.parametrize('digits', [6, 1])
def test_mmcvs_nms_of_one_image_keeps_what_the_graph_keeps_and_of_equal_scores_the_first(digits):
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 40, (1, 80, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 30, (1, 80, 2))], axis=-1)
    scores = rng.uniform(0, 1, (1, 80, 3)).round(digits)
    found = run(with_survivors(canned(boxes, scores), iou_thr=0.45, max_per_img=40))
    one = torch.tensor(boxes[0]).float(), torch.tensor(scores[0]).float()
    for each, other in zip(survivors(*one, iou_thr=0.45, max_per_img=40), found, strict=True):
        np.testing.assert_array_equal(each, other[0])
    assert len(survivors(*one, 0.45, -1)[1]) > 40
    assert [len(each) for each in survivors(one[0], one[1] * 0, 0.45, 40)] == [0, 0, 0]
