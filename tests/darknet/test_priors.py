import numpy as np
import pytest

from mmdet_lrm.darknet.priors import (
    PriorsError,
    by_level,
    cluster,
    counts_by_level,
    draw,
    mean_iou,
    shape_iou,
)


def test_overlap_of_sizes_with_one_centre():
    sizes = np.array([[10.0, 10.0], [10.0, 20.0]])
    priors = np.array([[10.0, 10.0], [20.0, 5.0]])
    np.testing.assert_allclose(shape_iou(sizes, priors), [[1.0, 50 / 150], [0.5, 50 / 250]])
    assert mean_iou(sizes, priors) == 0.75


def test_separate_groups_of_boxes_are_found():
    rng = np.random.default_rng(1)
    centers = np.array([[10.0, 10.0], [30.0, 90.0], [200.0, 100.0]])
    sizes = (centers[:, None] * rng.uniform(0.95, 1.05, (3, 50, 2))).reshape(-1, 2)
    priors = cluster(sizes, 3)
    np.testing.assert_allclose(priors, centers, rtol=0.05)
    assert mean_iou(sizes, priors) > 0.94


def test_mutations_never_lose_and_the_seed_decides():
    sizes = np.random.default_rng(0).uniform(5, 200, (400, 2))
    plain, changed = (cluster(sizes, 5, mutations=number) for number in (0, 100))
    assert mean_iou(sizes, changed) >= mean_iou(sizes, plain)
    np.testing.assert_array_equal(changed, cluster(sizes, 5, mutations=100))


def test_as_many_priors_as_sizes_fit_exactly_and_more_are_refused():
    sizes = np.array([[3.0, 4.0], [30.0, 40.0], [3.0, 4.0]])
    np.testing.assert_array_equal(cluster(sizes, 2, mutations=5), [[3, 4], [30, 40]])
    with pytest.raises(PriorsError, match='3 priors were asked for 3 boxes of 2 different sizes'):
        cluster(sizes, 3)


def test_levels_go_from_coarse_to_fine():
    priors = np.array([[1.0, 1], [2, 2], [3, 3], [4, 4.04]])
    assert by_level(priors, [2, 2]) == [[(3.0, 3.0), (4.0, 4.0)], [(1.0, 1.0), (2.0, 2.0)]]


def test_priors_are_dealt_evenly_or_not_at_all():
    assert counts_by_level([3, 3, 3], None) == [3, 3, 3]
    assert counts_by_level([3, 3, 3], 6) == [2, 2, 2]
    assert counts_by_level([], None) == [5]
    assert counts_by_level([], 4) == [4]
    with pytest.raises(PriorsError, match='--num is 7, and the config has 3 levels'):
        counts_by_level([3, 3, 3], 7)


def test_the_plot_holds_the_boxes_and_old_and_new_priors_apart():
    sizes, priors = np.array([[3.0, 4.0], [30.0, 40.0]]), np.array([[3.0, 4.0]])
    own = np.array([[30.0, 40.0], [60.0, 20.0]])
    boxes, circles, squares = draw(sizes, priors, own).collections
    assert boxes.get_offsets().tolist() == sizes.tolist()
    assert circles.get_offsets().tolist() == own.tolist()
    assert circles.get_label() == '2 old priors, mean IoU 0.505'  # 1 and 0.01
    assert squares.get_offsets().tolist() == priors.tolist()
    assert len(draw(sizes, priors).collections) == 2
