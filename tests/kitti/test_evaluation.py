import json
from dataclasses import replace

import numpy as np
import pytest

from mmdet_lrm.kitti.evaluation import (
    DIFFICULTIES,
    KITTI_CLASSES,
    KITTI_LIMITS,
    Limits,
    evaluate,
    evaluate_folders,
    recall_thresholds,
)
from mmdet_lrm.kitti.objects import KittiObjects

BOX = (100.0, 100.0, 150.0, 200.0)  # 50 x 100 px: counts as easy


def shifted(share: float, box=BOX) -> tuple:
    """The box moved right by a share of its width; IoU = (1 - share) / (1 + share)."""
    step = share * (box[2] - box[0])
    return (box[0] + step, box[1], box[2] + step, box[3])


def truths(*rows) -> KittiObjects:
    """Rows of frame, type, box[, occluded, truncated], by frame."""
    rows = [(*row, 0, 0.0)[:5] if len(row) == 3 else (*row, 0.0)[:5] for row in rows]
    objects = detections(*(row[:3] for row in rows))
    return replace(
        objects,
        occluded=np.array([row[3] for row in rows], dtype=int),
        truncated=np.array([row[4] for row in rows], dtype=float),
        score=None,
    )


def detections(*rows) -> KittiObjects:
    """Rows of frame, type, box[, score], by frame."""
    rows = [(*row, 0.5)[:4] for row in rows]
    return KittiObjects.from_detections(
        frame=[row[0] for row in rows],
        types=[row[1] for row in rows],
        bbox=np.array([row[2] for row in rows], dtype=float).reshape(-1, 4),
        score=[row[3] for row in rows],
    )


def easy(truth: KittiObjects, detection: KittiObjects, name: str = 'Car') -> tuple:
    """Number of truths that count, and precision at recall 0, at easy."""
    result = evaluate(truth, detection)[name]['easy']
    return result['num_truths'], result['precision'][0]


def test_one_found_truth_gives_one_threshold_at_recall_0():
    # With one truth the only threshold is the first of 41 points: this is how the devkit counts.
    result = evaluate(truths((0, 'Car', BOX)), detections((0, 'Car', BOX)))['Car']['easy']
    assert list(result['precision']) == [1.0] + [0.0] * 40
    assert result['AP11'] == pytest.approx(100 / 11)
    assert result['AP40'] == 0


def test_forty_found_truths_reach_recall_1_and_ap11_of_100():
    frames = range(40)
    result = evaluate(
        truths(*((f, 'Car', BOX) for f in frames)),
        detections(*((f, 'Car', BOX, 1 - f / 100) for f in frames)),
    )['Car']['hard']
    assert sum(result['precision']) == 40  # 40 thresholds: recall 1/40 serves as recall 0 too
    assert result['AP11'] == pytest.approx(100 * 10 / 11)
    assert result['AP40'] == pytest.approx(100 * 39 / 40)


def test_a_match_needs_more_than_the_iou_limit():
    # Width 100, shared 70 of 100: IoU exactly 0.7 for the smaller box inside the larger.
    large, small = (0, 0, 100, 100), (0, 0, 70, 100)
    assert easy(truths((0, 'Car', large)), detections((0, 'Car', small))) == (1, 0)
    assert easy(truths((0, 'Car', large)), detections((0, 'Car', (0, 0, 70.1, 100)))) == (1, 1)
    half, more = (0, 0, 50, 100), (0, 0, 50.1, 100)
    for name in ('Pedestrian', 'Cyclist'):
        assert easy(truths((0, name, large)), detections((0, name, half)), name) == (1, 0)
        assert easy(truths((0, name, large)), detections((0, name, more)), name) == (1, 1)


@pytest.mark.parametrize(('own', 'neighbour'), [('Car', 'Van'), ('Pedestrian', 'Person_sitting')])
def test_a_neighbour_may_be_found_and_need_not_be(own, neighbour):
    truth = truths((0, own, BOX), (1, neighbour, BOX))
    not_found = detections((0, own, BOX))
    found = detections((0, own, BOX), (1, own, BOX))
    assert easy(truth, not_found, own) == easy(truth, found, own) == (1, 1)


def test_the_neighbours_of_a_cyclist_are_background():
    truth = truths((0, 'Cyclist', BOX), (1, 'Pedestrian', BOX))
    assert easy(truth, detections((0, 'Cyclist', BOX), (1, 'Cyclist', BOX)), 'Cyclist') == (1, 0.5)


@pytest.mark.parametrize(
    ('level', 'height', 'occluded', 'truncated'),
    [('easy', 40, 0, 0.15), ('moderate', 25, 1, 0.3), ('hard', 25, 2, 0.5)],
)
def test_truths_count_up_to_the_limits_of_their_difficulty(level, height, occluded, truncated):
    def num(h, o, t):
        truth = truths((0, 'Car', (0, 0, 50, h), o, t))
        return evaluate(truth, detections())['Car'][level]['num_truths']

    assert num(height + 0.01, occluded, truncated) == 1
    assert num(height, occluded, truncated) == 0
    assert num(height + 0.01, occluded + 1, truncated) == 0
    assert num(height + 0.01, occluded, truncated + 0.01) == 0


def test_a_truth_beyond_the_limits_is_ignored_not_background():
    truth = truths((0, 'Car', BOX), (1, 'Car', BOX, 3))
    assert easy(truth, detections((0, 'Car', BOX), (1, 'Car', BOX))) == (1, 1)


def test_detections_from_the_minimum_height_on_count():
    # 39.99 px is cut to 39 and ignored; 40 px is not below 40 and counts as a false positive.
    truth = truths((0, 'Car', BOX))
    for height, precision in ((39.99, 1), (40, 0.5)):
        extra = (0, 'Car', (500, 100, 550, 100 + height), 0.9)
        assert easy(truth, detections((0, 'Car', BOX), extra)) == (1, precision)


def test_a_low_detection_of_any_type_absorbs_a_truth():
    # 39.5 of 41 px high, so its IoU with the truth is above 0.9, and it is ignored at easy.
    truth = truths((0, 'Car', (0, 0, 50, 41)), (1, 'Car', BOX))
    low = (0, 'Pedestrian', (0, 0, 50, 39.5), 0.9)
    car = (0, 'Car', (0, 0, 50, 41), 0.6)
    # Pass 1: the low detection takes the truth by its score, so the car is no true positive and
    # gives no threshold; only 0.3 does. Pass 2 at 0.3: the car comes first.
    result = evaluate(truth, detections(low, car, (1, 'Car', BOX, 0.3)))['Car']['easy']
    assert list(result['precision'])[:2] == [1, 0]
    # Without the car the truth counts neither way: one true positive, nothing false.
    assert easy(truth, detections(low, (1, 'Car', BOX, 0.3))) == (2, 1)


def test_pass_1_takes_the_highest_score_and_pass_2_the_highest_iou():
    # Pass 1 gives the threshold 0.9, of the worse box. At 0.9 only that box is left, so it is the
    # true positive; had pass 1 taken the better box, the threshold 0.4 would find one false.
    worse, better = (0, 'Car', shifted(0.1), 0.9), (0, 'Car', BOX, 0.4)
    assert easy(truths((0, 'Car', BOX)), detections(worse, better)) == (1, 1)
    # Pass 2 at threshold 0.3 (of frame 1): `near` is the best of both truths. The first takes it by
    # IoU and leaves the other detection for the second truth, which is too far from it.
    first, second = BOX, shifted(0.12)
    near, far = shifted(0.05), shifted(-0.1)
    truth = truths((0, 'Car', first), (0, 'Car', second), (1, 'Car', BOX))
    found = detections((0, 'Car', near, 0.5), (0, 'Car', far, 0.9), (1, 'Car', BOX, 0.3))
    result = evaluate(truth, found)['Car']['easy']
    # Pass 1: first takes far (0.9), second takes near (0.5): thresholds 0.9, 0.5, 0.3. Pass 2:
    # 1 of 1; at 0.5 first takes near, far is false: 1 of 2; at 0.3: 2 of 3.
    assert list(result['precision'])[:3] == pytest.approx([1, 2 / 3, 2 / 3])


def test_dontcare_takes_back_false_positives_by_their_own_area():
    truth = truths((0, 'Car', BOX), (0, 'DontCare', (300, 100, 1000, 300)))
    box = (0, 'Car', BOX, 0.5)
    # 70 px of 100 inside: exactly 0.7 of its own area is not above the limit of Car.
    outside = (0, 'Car', (230, 100, 330, 200), 0.9)
    on_limit = (0, 'Car', (270, 100, 370, 200), 0.9)
    inside = (0, 'Car', (271, 100, 371, 200), 0.9)
    assert easy(truth, detections(box, outside)) == (1, 0.5)
    assert easy(truth, detections(box, on_limit)) == (1, 0.5)
    assert easy(truth, detections(box, inside)) == (1, 1)


def test_several_dontcare_boxes_take_a_false_positive_back_once():
    region = (300, 100, 1000, 300)
    truth = truths((0, 'Car', BOX), (0, 'DontCare', region), (0, 'DontCare', region))
    inside, outside = (400, 100, 450, 200), (100, 250, 150, 350)
    rows = [(0, 'Car', BOX), (0, 'Car', inside, 0.9), (0, 'Car', outside, 0.9)]
    assert easy(truth, detections(*rows)) == (1, 0.5)


def test_dontcare_does_not_take_back_a_true_positive():
    truth = truths((0, 'Car', BOX), (0, 'DontCare', (0, 0, 1000, 300)))
    assert easy(truth, detections((0, 'Car', BOX))) == (1, 1)


def test_thresholds_step_by_a_fortieth_of_recall():
    scores = np.arange(80, 0, -1) / 80  # 80 truths, all found: every second score
    np.testing.assert_allclose(recall_thresholds(scores, 80), [scores[0], *scores[1::2]])
    assert len(recall_thresholds(scores, 80)) == 41
    np.testing.assert_array_equal(recall_thresholds(np.array([0.2, 0.7]), 2), [0.7, 0.2])
    assert len(recall_thresholds(np.zeros(0), 5)) == 0


def test_equal_scores_are_all_above_their_threshold():
    truth = truths((0, 'Car', BOX), (1, 'Car', BOX))
    found = detections(
        (0, 'Car', BOX, 0.5), (1, 'Car', BOX, 0.5), (1, 'Car', (500, 0, 550, 100), 0.5)
    )
    assert easy(truth, found) == (2, pytest.approx(2 / 3))


def test_nothing_detected_and_nothing_to_detect_are_0():
    none_found = evaluate(truths((0, 'Car', BOX)), detections())
    none_there = evaluate(truths(), detections((0, 'Car', BOX)))
    for result in (none_found, none_there, evaluate(truths(), detections())):
        for name in KITTI_CLASSES:
            for level in DIFFICULTIES:
                assert result[name][level]['AP11'] == result[name][level]['AP40'] == 0


def test_a_class_without_limits_is_refused():
    with pytest.raises(ValueError, match='Truck'):
        evaluate(truths(), detections(), classes=('Car', 'Truck'))


@pytest.mark.parametrize('limits', [Limits(), Limits(0.7), Limits(min_heights=(150, 120, 0))])
def test_a_class_of_ones_own_is_found_within_its_limits(limits):
    # 100 px high, of IoU 2/3.
    found = evaluate(
        truths((0, 'Lorry', (0, 0, 100, 100))),
        detections((0, 'Lorry', (0, 20, 100, 120))),
        ('Lorry',),
        {'Lorry': limits},
    )['Lorry']
    is_found = [each['AP11'] > 0 for each in found.values()]
    expected = {0.7: [False] * 3, 0.5: [height < 100 for height in limits.min_heights]}
    assert is_found == expected[limits.iou_thr]


def test_a_neighbour_of_ones_own_is_neither_right_nor_wrong():
    truth = truths((0, 'Lorry', BOX), (1, 'Bus', BOX))
    found = detections((0, 'Lorry', BOX, 0.1), (1, 'Lorry', BOX, 0.9))
    ap = {
        neighbour: evaluate(truth, found, ('Lorry',), {'Lorry': Limits(neighbour=neighbour)})
        for neighbour in ('Bus', None)
    }
    assert ap['Bus']['Lorry']['easy']['precision'][0] == 1
    assert ap[None]['Lorry']['easy']['precision'][0] == 0.5


# An independent evaluation in plain loops, as slow and as literal as the protocol reads.


def slow_overlap(a, b, over_own_area_of_a=False) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    area_a = (a[2] - a[0]) * (a[3] - a[1])
    area_b = (b[2] - b[0]) * (b[3] - b[1])
    return shared / area_a if over_own_area_of_a else shared / (area_a + area_b - shared)


def slow_frame(truth_rows, det_rows, name, level, threshold):
    """Scores of the true positives, and the number of false ones if there is a threshold."""
    limits, least = DIFFICULTIES[level], KITTI_LIMITS[name].iou_thr
    neighbour = {'Car': 'Van', 'Pedestrian': 'Person_sitting'}.get(name)
    states = []  # of detections: 'counts', 'ignored', None
    for _, kind, box, score in det_rows:
        if threshold is not None and score < threshold:
            states.append(None)
        elif int(abs(box[3] - box[1])) < limits[0]:
            states.append('ignored')
        else:
            states.append('counts' if kind == name else None)
    used = [False] * len(det_rows)
    tp_scores = []
    for _, kind, box, occluded, truncated in truth_rows:
        if kind not in (name, neighbour):
            continue
        hard = occluded > limits[1] or truncated > limits[2] or box[3] - box[1] <= limits[0]
        ignored = kind != name or hard
        candidates = [
            i
            for i, row in enumerate(det_rows)
            if states[i] and not used[i] and slow_overlap(row[2], box) > least
        ]
        if not candidates:
            continue
        if threshold is None:
            best = max(candidates, key=lambda i: (det_rows[i][3], -i))
        else:
            counted = [i for i in candidates if states[i] == 'counts']
            best = candidates[0]
            if counted:
                best = max(counted, key=lambda i: (slow_overlap(det_rows[i][2], box), -i))
        used[best] = True
        if not ignored and states[best] == 'counts':
            tp_scores.append(det_rows[best][3])
    num_fp = 0
    for i, row in enumerate(det_rows):
        if states[i] == 'counts' and not used[i]:
            regions = [t[2] for t in truth_rows if t[1] == 'DontCare']
            num_fp += not any(slow_overlap(row[2], region, True) > least for region in regions)
    return tp_scores, num_fp


def slow_precision(truth_rows, det_rows, name, level) -> list[float]:
    frames = sorted({row[0] for row in truth_rows} | {row[0] for row in det_rows})
    by_frame = [
        ([t for t in truth_rows if t[0] == f], [d for d in det_rows if d[0] == f]) for f in frames
    ]
    limits = DIFFICULTIES[level]
    num_truths = sum(
        t[1] == name and t[2][3] - t[2][1] > limits[0] and t[3] <= limits[1] and t[4] <= limits[2]
        for t in truth_rows
    )
    scores = [s for t, d in by_frame for s in slow_frame(t, d, name, level, None)[0]]
    scores.sort(reverse=True)
    thresholds, recall = [], 0.0
    for i, score in enumerate(scores):
        here = (i + 1) / num_truths
        there = (i + 2) / num_truths
        if i + 1 < len(scores) and there - recall < recall - here:
            continue
        thresholds.append(score)
        recall += 1 / 40
    precision = [0.0] * 41
    for k, threshold in enumerate(thresholds):
        counts = [slow_frame(t, d, name, level, threshold) for t, d in by_frame]
        num_tp, num_fp = sum(len(c[0]) for c in counts), sum(c[1] for c in counts)
        precision[k] = num_tp / (num_tp + num_fp) if num_tp + num_fp else 0.0
    return [max(precision[k:]) for k in range(41)]


def random_rows(rng: np.random.Generator) -> tuple[list, list]:
    """Crowded frames with few distinct scores and boxes, so that ties and conflicts abound."""
    kinds = ['Car', 'Car', 'Van', 'Pedestrian', 'Person_sitting', 'Cyclist', 'DontCare', 'Truck']
    truth_rows, det_rows = [], []
    for frame in range(rng.integers(2, 8)):
        anchors = [
            np.array([x, y, x + w, y + h])
            for x, y, w, h in zip(
                rng.integers(0, 60, 3),
                rng.integers(0, 30, 3),
                rng.integers(30, 60, 3),
                rng.choice([24, 26, 39, 40, 41, 60], 3),
                strict=True,
            )
        ]
        for _ in range(rng.integers(0, 9)):
            box = anchors[rng.integers(3)] + rng.integers(-4, 5, 4)
            row = (frame, str(rng.choice(kinds)), tuple(box.astype(float).tolist()))
            occluded, truncated = rng.choice([0, 0, 1, 2, 3]), rng.choice([0, 0, 0.2, 0.4, 0.6])
            truth_rows.append((*row, int(occluded), float(truncated)))
        for _ in range(rng.integers(0, 12)):
            box = anchors[rng.integers(3)] + rng.integers(-4, 5, 4) / 2
            row = (
                frame,
                str(rng.choice([*KITTI_CLASSES, 'Bus'])),
                tuple(box.astype(float).tolist()),
            )
            det_rows.append((*row, float(rng.integers(1, 6) / 5)))
    return truth_rows, det_rows


@pytest.mark.parametrize('seed', range(10))
def test_agrees_with_plain_loops_on_crowded_random_frames(seed):
    rng = np.random.default_rng(seed)
    compared = 0
    for _ in range(30):
        truth_rows, det_rows = random_rows(rng)
        result = evaluate(truths(*truth_rows), detections(*det_rows))
        for name in KITTI_CLASSES:
            for level in DIFFICULTIES:
                expected = slow_precision(truth_rows, det_rows, name, level)
                np.testing.assert_allclose(result[name][level]['precision'], expected, atol=1e-12)
                compared += expected[0] > 0
    assert compared > 30  # the frames are not trivial


def test_agrees_with_the_official_devkit(shared_dir):
    expected = json.loads((shared_dir / 'golden/kitti_eval/expected.json').read_text())
    subset = shared_dir / 'data/kitti_subset'
    result = evaluate_folders(
        subset / 'training/label_2',
        shared_dir / 'golden/kitti_eval/detections',
        subset / 'ImageSets/val.txt',
    )
    for name, levels in expected.items():
        for level, values in levels.items():
            for ap in ('AP11', 'AP40'):
                assert result[name][level][ap] == pytest.approx(values[ap], abs=1e-4)
            got = np.asarray(result[name][level]['precision'])
            np.testing.assert_allclose(got, values['precision'], atol=1e-5)
