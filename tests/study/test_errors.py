"""Errors worked by hand on a few boxes, and the same numbers from the authors' package."""

import numpy as np
import pytest
from squares import FOUND, TRUTHS, image, judged, square

from mmdet_lrm.study.errors import (
    KINDS,
    ap,
    ap_by_neighbours,
    best_score,
    between,
    judge,
    mean_ap,
    mended,
    summary,
)


def test_each_error_type_on_a_row_of_squares():
    found = judged(image(TRUTHS, FOUND))
    assert found.kinds.tolist() == [
        *('found', 'duplicate', 'localisation', 'class', 'both', 'background', 'background'),
    ]
    assert found.meant.tolist() == [0, -1, 1, 2, -1, -1, -1]
    assert found.taken.tolist() == [True, False, False, False, False]
    assert found.missed.tolist() == [False, False, False, True, True]


def test_a_higher_score_takes_the_nearest_truth_and_the_other_what_is_left():
    # Both squares lie nearest to the truth at 0; the second reaches the one at 4 too (9 / 11).
    truths = [(0, square(0)), (0, square(4))]
    found = judged(image(truths, [(0, 0.8, square(1)), (0, 0.9, square(1))]))
    assert (found.kinds.tolist(), found.meant.tolist()) == (['found', 'found'], [1, 0])


def test_truths_of_an_image_are_those_of_no_other():
    found = judged(image([(0, square(0))]), image(), image([(0, square(0))], FOUND[:2]))
    assert (found.kinds.tolist(), found.meant.tolist()) == (['found', 'duplicate'], [1, -1])
    assert found.missed.tolist() == [True, False]


def test_detections_without_truths_are_background_or_ignored():
    found = judged(image((), [(0, 0.9, square(0)), (1, 0.8, square(50))], [square(44)]))
    # 4 of 10 px of the second lie in the ignored region, then 6.
    assert found.kinds.tolist() == ['background', 'background']
    found = judged(image((), [(0, 0.9, square(0)), (1, 0.8, square(50))], [square(46)]))
    assert found.kinds.tolist() == ['background', 'ignored']
    assert np.isnan(mean_ap(found, 2)) and np.isnan(mean_ap(mended(found, 'missed'), 2))


def test_what_is_excused_by_an_ignored_region_was_meant_for_no_truth():
    # By its IoU of 1 / 3 a localisation error, and whole in the region.
    found = judged(image([(0, square(0))], [(0, 0.9, square(5))], [square(5)]))
    assert (found.kinds.tolist(), found.meant.tolist()) == (['ignored'], [-1])
    assert found.missed.tolist() == [True]


def test_an_iou_of_just_the_threshold_finds_its_truth():
    # Half of the square: IoU 50 / 100.
    assert judged(image([(0, square(0))], [(0, 0.9, (0, 0, 10, 5))])).kinds.tolist() == ['found']


def test_the_threshold_is_that_of_the_truths_class():
    both = [(0, 0.9, square(3)), (1, 0.8, square(203))]
    given = image([(0, square(0)), (1, square(200))], both)
    assert judge([given], [0.7, 0.5]).kinds.tolist() == ['localisation', 'found']


def test_average_precision_by_hand():
    # Right, wrong, right of three truths: precision 1 up to recall 1/3, then 2/3 up to 2/3.
    scores, right = np.array([0.2, 0.9, 0.5]), np.array([True, True, False])
    assert ap(scores, right, 3) == pytest.approx(1 / 3 + 2 / 9)
    assert (ap(scores, right & False, 3), ap(scores[:0], right[:0], 3)) == (0, 0)
    assert np.isnan(ap(scores, right & False, 0))


def test_what_mending_each_error_gives_by_hand():
    # Class 0 has one truth found, of three: a third. Class 1 has none of two, after two wrong ones.
    found = judged(image(TRUTHS, FOUND))
    assert mean_ap(found, 2) == pytest.approx(1 / 6)
    after = {kind: mean_ap(mended(found, kind), 2) for kind in KINDS}
    assert after == pytest.approx(
        {
            # Third of class 0, after the duplicate: precision 2/3 from recall 1/3 to 2/3.
            'localisation': (1 / 3 + 2 / 9) / 2,
            # The first of class 1, at recall 1/2.
            'class': (1 / 3 + 1 / 2) / 2,
            'both': 1 / 6,
            'duplicate': 1 / 6,
            'background': 1 / 6,
            # Of class 0 two truths are left, one of them found.
            'missed': 1 / 4,
        }
    )


def test_of_errors_for_one_truth_the_highest_score_is_mended_alone():
    truths = [(0, square(0)), (1, square(100))]
    given = [(0, 0.5, square(5)), (0, 0.9, square(4.5)), (1, 0.7, square(0))]
    after = mended(judged(image(truths, given)), 'localisation')
    assert after.kinds.tolist() == ['ignored', 'found', 'class']
    # The class error has a lower score than a localisation error for the same truth.
    after = mended(judged(image(truths, given)), 'class')
    assert after.kinds.tolist() == ['localisation', 'localisation', 'ignored']


def test_the_best_score_is_that_of_the_largest_f1():
    # Right, wrong, right, wrong of two truths: F1 2/3, 1/2, 4/5, 2/3.
    given = [(0, 0.9, square(0)), (0, 0.8, square(50)), (0, 0.7, square(100)), (0, 0.6, square(60))]
    truths = [(0, square(0)), (0, square(100))]
    assert best_score(judged(image(truths, given))) == 0.7
    # What has one score is taken together: 2/3 with the first alone, 4/7 with the four of 0.8.
    tied = [(0, 0.8, square(x)) for x in (100, 50, 60, 70)]
    assert best_score(judged(image(truths, [given[0], *tied]))) == 0.9
    assert best_score(judged(image(truths))) == np.inf


def test_neighbours_are_truths_with_an_iou_above_a_tenth():
    # Moved by 8 px: IoU 1 / 9; by 9 px: 1 / 19.
    found = judged(
        image([(0, square(0)), (1, square(8)), (0, square(17))]), image([(0, square(8))])
    )
    assert found.neighbours.tolist() == [1, 1, 0, 0]
    # A box without area has none, not even itself.
    assert judged(image([(0, square(0)), (0, square(5, side=0))])).neighbours.tolist() == [0, 0]


def test_average_precision_by_neighbours():
    crowd = [(0, square(0)), (0, square(8)), (0, square(100))]
    given = [
        (0, 0.9, square(4)),  # IoU 6 / 14 with both: localisation, of one neighbour
        (0, 0.8, square(100)),
        (0, 0.7, square(0)),
        (0, 0.99, square(500)),  # near to none
        (0, 0.95, square(101)),
    ]
    found = judged(image(crowd, given))
    # Alone: found by the one of 0.95, then a duplicate. Of two with a neighbour one is found, after
    # a wrong one: precision 1/2 up to recall 1/2.
    assert ap_by_neighbours(found, 0) == pytest.approx([1, 1 / 4, np.nan, np.nan], nan_ok=True)


def test_what_is_ignored_near_a_truth_is_no_matter_of_its_crowd():
    given = [(0, 0.9, square(5)), (0, 0.8, square(0))]
    found = judged(image([(0, square(0))], given, [square(5)]))
    assert ap_by_neighbours(found, 0)[0] == 1


def test_background_between_objects_touches_two():
    truths = [(0, square(0)), (0, square(19))]
    given = [(0, 0.9, square(9.5)), (0, 0.8, square(28)), (0, 0.7, square(60))]
    found = judged(image(truths, given))
    assert found.kinds.tolist() == ['background'] * 3
    assert between(found).tolist() == [True, False, False]


def test_a_summary_counts_from_the_best_score_on():
    found = summary([image(TRUTHS, FOUND)], ['a', 'b'], [0.5, 0.5])
    # F1 of the first alone is 2 / 6; no other is right.
    assert found['score'] == 0.9
    counts = {name: value for name, value in found.items() if name.startswith('count/')}
    assert counts == dict.fromkeys(counts, 0) | {'count/found': 0.2, 'count/missed': 0.8}
    assert found['gain/class'] == pytest.approx((1 / 3 + 1 / 2) / 2 - 1 / 6)
    assert (found['crowd/a/0'], found['share/a/0']) == (pytest.approx(1 / 3), 1)
    assert 'crowd/a/1' not in found


def test_types_and_gains_are_those_of_the_authors_package():
    tidecv = pytest.importorskip('tidecv', reason='needs tidecv, last released in 2020')
    random = np.random.default_rng(0)
    images = [random_image(random) for _ in range(40)]
    truth, predicted = tidecv.Data('truth'), tidecv.Data('predicted')
    for number, each in enumerate(images):
        for label, box in zip(each.labels, each.boxes, strict=True):
            truth.add_ground_truth(number, int(label), as_xywh(box))
        for label, score, box in zip(each.classes, each.scores, each.found, strict=True):
            predicted.add_detection(number, int(label), float(score), as_xywh(box))
    run = tidecv.TIDE().evaluate(truth, predicted, mode=tidecv.TIDE.BOX)
    theirs = {kind.short_name: num for kind, num in run.count_errors().items()}
    found = judge(images, [0.5] * 3)
    ours = {kind: int((found.kinds == kind).sum()) for kind in KINDS[:-1]}
    names = dict(zip(KINDS, ('Loc', 'Cls', 'Both', 'Dupe', 'Bkg', 'Miss'), strict=True))
    ours['missed'] = int(found.missed.sum())
    assert ours == {kind: theirs[name] for kind, name in names.items()}
    assert min(ours.values()) > 5
    gains = {kind.short_name: gain for kind, gain in run.fix_main_errors().items()}
    for kind, name in names.items():
        gain = 100 * (mean_ap(mended(found, kind), 3) - mean_ap(found, 3))
        # Theirs is read off at 101 recalls, ours is the area.
        assert gain == pytest.approx(gains[name], abs=0.6), kind


def random_image(random):
    truths = [(random.integers(3), square(*random.uniform(0, 60, 2))) for _ in range(8)]
    moved = [
        (label, random.uniform(), np.array(box) + np.tile(random.normal(0, 2, 2), 2))
        for label, box in truths * 2
    ]
    changed = [
        (each if random.uniform() < 0.8 else (random.integers(3), *each[1:])) for each in moved
    ]
    extra = [
        (random.integers(3), random.uniform(), square(*random.uniform(0, 60, 2))) for _ in '123'
    ]
    return image(truths, [each for each in changed + extra if random.uniform() < 0.7])


def as_xywh(box):
    return [*map(float, (*box[:2], *(box[2:] - box[:2])))]
