"""KITTI's 2D object evaluation in numpy: what the official devkit computes for image detection.

Letters: F frames, G truths and D detections of all frames, M pairs of a truth and a detection of
the same frame, T thresholds. Boxes are x1, y1, x2, y2 in pixels, without a +1 in their sizes.

The protocol, per class and difficulty (Geiger et al., CVPR 2012; the object devkit):

1. A truth of the class counts if it is high, visible and complete enough. The others of the class
   and those of the neighbouring class are *ignored*: they may take a detection, and neither the
   match nor its absence counts. Truths of other classes are not there.
2. A detection lower than the minimum height is ignored whatever its class; else it takes part if
   it is of the class.
3. Pass 1: in the order of the file each truth takes, of the detections not yet taken whose IoU is
   larger than the class's limit, that of the highest score. The scores of the true positives give
   at most 41 thresholds, between which recall steps by 1/40.
4. Pass 2, at each threshold: each truth takes the detection of the highest IoU, an ignored one
   only if there is no other. What is left over is a false positive, unless the share of its own
   area that lies in one DontCare box is larger than the class's IoU limit.
5. Precision at the thresholds is made monotone: at each point the largest from there on; points
   beyond the last threshold are 0. AP11 is the mean of points 0, 4, .., 40, AP40 that of 1 .. 40.

Where the protocol leaves something open, as the devkit does: a class without truths or without
detections has AP 0; of equal scores (pass 1) or IoUs (pass 2), and of several ignored detections
in pass 2, the first in the file is taken, so the result depends on nothing but the files. A
threshold at which nothing counts has precision 0, where the devkit divides 0 by 0.
"""

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .labels import read_objects
from .objects import KITTI_TYPES, NEIGHBOURS, KittiDataError, KittiObjects
from .splits import frame_ids, read_split


class Difficulty(NamedTuple):
    """Which truths count: ``height > min_height`` px and the other two at most these."""

    min_height: int
    max_occluded: int
    max_truncated: float


DIFFICULTIES = {
    'easy': Difficulty(40, 0, 0.15),
    'moderate': Difficulty(25, 1, 0.30),
    'hard': Difficulty(25, 2, 0.50),
}


class Limits(NamedTuple):
    """What the protocol asks of a class; the defaults are for classes that KITTI has no limits of.

    ``iou_thr``: the IoU that a match must exceed. ``neighbour``: the type that is neither right nor
    wrong. ``min_heights``: px that a truth must exceed to be easy, moderate and hard.
    """

    iou_thr: float = 0.5
    neighbour: str | None = None
    min_heights: tuple[int, int, int] = tuple(each.min_height for each in DIFFICULTIES.values())


KITTI_LIMITS = {
    name: Limits(iou_thr, NEIGHBOURS.get(name))
    for name, iou_thr in {'Car': 0.7, 'Pedestrian': 0.5, 'Cyclist': 0.5}.items()
}
KITTI_CLASSES = tuple(KITTI_LIMITS)
NUM_POINTS = 41
OBJECTS_AT_ONCE = 512
_LOGGER = logging.getLogger(__name__)


def evaluate(
    truths: KittiObjects,
    detections: KittiObjects,
    classes: Sequence[str] = KITTI_CLASSES,
    limits: Mapping[str, Limits] = KITTI_LIMITS,
) -> dict[str, dict[str, dict]]:
    """Average precision of detections, as the devkit computes it.

    Args:
        truths: labels, DontCare included. ``frame`` is the index of the frame.
        detections: results; their ``frame`` counts the same frames.
        classes: those to evaluate.
        limits: of each class.

    Returns:
        ``result['Car']['moderate']`` is a dict with 'AP11' and 'AP40' in percent, 'precision', the
        41 monotone values in [0, 1], and 'num_truths', the number that counts.
    """
    unknown = [name for name in classes if name not in limits]
    if unknown:
        raise ValueError(f'classes has {unknown}; there are limits of {", ".join(limits)} only')
    pairs = _match_candidates(truths, detections, min(limits[name].iou_thr for name in classes))
    in_dontcare = _dontcare_overlap(truths[truths.types == 'DontCare'], detections)
    return {
        name: {
            level: _evaluate_one(
                truths,
                detections,
                pairs,
                in_dontcare,
                name,
                limits[name],
                difficulty._replace(min_height=min_height),
            )
            for (level, difficulty), min_height in zip(
                DIFFICULTIES.items(), limits[name].min_heights, strict=True
            )
        }
        for name in classes
    }


def flat_metrics(by_class: dict[str, dict[str, dict]]) -> dict[str, float]:
    """APs of :func:`evaluate`: ``moderate_AP40``, the mean of classes, and ``Car_easy_AP11``."""
    metrics = {
        f'{level}_{ap}': float(np.mean([of_class[level][ap] for of_class in by_class.values()]))
        for level in ('moderate', 'easy', 'hard')
        for ap in ('AP40', 'AP11')
    }
    return metrics | {
        f'{name}_{level}_{ap}': of_class[level][ap]
        for name, of_class in by_class.items()
        for level in DIFFICULTIES
        for ap in ('AP40', 'AP11')
    }


def valid_truths(truths: KittiObjects, class_name: str, limits: Difficulty) -> np.ndarray:
    """(G,) mask of the truths of a class that count at a difficulty."""
    return (
        (truths.types == class_name)
        & (truths.height > limits.min_height)
        & (truths.occluded <= limits.max_occluded)
        & (truths.truncated <= limits.max_truncated)
    )


class _Pairs(NamedTuple):
    """M pairs of the same frame: indices of truth and detection, and their IoU."""

    truth: np.ndarray
    detection: np.ndarray
    iou: np.ndarray


def _evaluate_one(
    truths: KittiObjects,
    detections: KittiObjects,
    pairs: _Pairs,
    in_dontcare: np.ndarray,
    class_name: str,
    limits: Limits,
    difficulty: Difficulty,
) -> dict:
    """Steps 1 to 5 for one class at one difficulty."""
    iou_thr = limits.iou_thr
    # 1.
    valid_truth = valid_truths(truths, class_name, difficulty)
    seen_truth = np.isin(truths.types, (class_name, limits.neighbour or class_name))
    # 2. The devkit cuts the height to an integer, which for whole limits changes nothing.
    low = np.trunc(np.abs(detections.height)) < difficulty.min_height
    valid_detection = (detections.types == class_name) & ~low
    seen_detection = valid_detection | low
    kept = (pairs.iou > iou_thr) & seen_truth[pairs.truth] & seen_detection[pairs.detection]
    truth, detection, iou = (column[kept] for column in pairs)
    frame, score = truths.frame[truth], detections.score[detection]
    is_low = low[detection]
    counts = valid_truth[truth] & ~is_low
    # 3.
    order = np.lexsort((detection, -score, truth))
    taken = _take(frame, truth, detection, score, order, np.array([-np.inf]))[:, 0]
    num_truths = int(valid_truth.sum())
    thresholds = recall_thresholds(score[taken & counts], num_truths)
    # 4. Of the ignored detections the first comes first, hence their IoU does not order them.
    order = np.lexsort((detection, np.where(is_low, 0.0, -iou), is_low, truth))
    taken = _take(frame, truth, detection, score, order, thresholds)
    true_positives = taken[counts].sum(axis=0)
    may_be_false = valid_detection & ~(in_dontcare > iou_thr)
    above = np.sort(detections.score[may_be_false])
    num_above = len(above) - np.searchsorted(above, thresholds, side='left')
    false_positives = num_above - taken[may_be_false[detection]].sum(axis=0)
    # 5.
    precision = np.zeros(NUM_POINTS)
    precision[: len(thresholds)] = true_positives / np.maximum(true_positives + false_positives, 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return {
        'AP11': float(precision[::4].mean() * 100),
        'AP40': float(precision[1:].mean() * 100),
        'precision': precision.tolist(),
        'num_truths': num_truths,
    }


def recall_thresholds(scores: np.ndarray, num_truths: int) -> np.ndarray:
    """Scores at which recall has reached 0, 1/40, .. as nearly as the true positives allow.

    Args:
        scores: (K,) scores of the true positives in any order.
        num_truths: number of truths that count, at least K.

    Returns:
        (T,) of the scores, descending, T <= 41; empty without true positives.
    """
    scores = np.sort(scores)[::-1]
    thresholds = []
    recall = 0.0
    for i, score in enumerate(scores):
        left = (i + 1) / num_truths
        right = (i + 2) / num_truths
        is_last = i == len(scores) - 1
        if not is_last and right - recall < recall - left:
            continue
        thresholds.append(score)
        recall += 1 / (NUM_POINTS - 1)
    return np.array(thresholds[:NUM_POINTS])


def _take(
    frame: np.ndarray,
    truth: np.ndarray,
    detection: np.ndarray,
    score: np.ndarray,
    order: np.ndarray,
    thresholds: np.ndarray,
) -> np.ndarray:
    """Let truth after truth take its first free detection, in all frames and at all thresholds.

    Only pairs of one frame compete. So round r looks at the r-th pair of every frame at once: both
    of its sides being free, and the score at least the threshold, the truth takes the detection.

    Args:
        frame, truth, detection, score: (M,) columns of the pairs.
        order: (M,) their order: by truth, then by the truth's preference.
        thresholds: (T,).

    Returns:
        (M, T) bool, True where the pair is a match.
    """
    taken = np.zeros((len(truth), len(thresholds)), dtype=bool)
    if not taken.size:
        return taken
    # Truths are sorted by frame, so ordering by truth keeps each frame's pairs together.
    first = np.flatnonzero(np.diff(frame[order], prepend=-1))
    num_in_frame = np.diff(first, append=len(order))
    free_truth = np.ones((truth.max() + 1, len(thresholds)), dtype=bool)
    free_detection = np.ones((detection.max() + 1, len(thresholds)), dtype=bool)
    for r in range(num_in_frame.max()):
        pair = order[first[num_in_frame > r] + r]
        match = score[pair, None] >= thresholds
        match &= free_truth[truth[pair]]
        match &= free_detection[detection[pair]]
        taken[pair] = match
        free_truth[truth[pair]] &= ~match
        free_detection[detection[pair]] &= ~match
    return taken


def _same_frame(first: KittiObjects, second: KittiObjects) -> tuple[np.ndarray, np.ndarray]:
    """Indices of all pairs of the same frame, ordered by the first, then by the second."""
    begin = np.searchsorted(second.frame, first.frame, side='left')
    num = np.searchsorted(second.frame, first.frame, side='right') - begin
    first_inds = np.repeat(np.arange(len(first)), num)
    offset = np.arange(num.sum()) - np.repeat(np.cumsum(num) - num, num)
    return first_inds, np.repeat(begin, num) + offset


def _intersection(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(M,) areas in px^2 that boxes (M, 4) and (M, 4) share."""
    width = np.minimum(first[:, 2], second[:, 2]) - np.maximum(first[:, 0], second[:, 0])
    height = np.minimum(first[:, 3], second[:, 3]) - np.maximum(first[:, 1], second[:, 1])
    return width.clip(min=0) * height.clip(min=0)


def _overlapping(
    first: KittiObjects, second: KittiObjects
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of all pairs of the same frame that share area, and that area in px^2: (M,) each."""
    parts = []
    # Most pairs share nothing; a part at a time, they need little memory.
    for start in range(0, max(len(first), 1), OBJECTS_AT_ONCE):
        some = first[start : start + OBJECTS_AT_ONCE]
        first_inds, second_inds = _same_frame(some, second)
        shared = _intersection(some.bbox[first_inds], second.bbox[second_inds])
        kept = np.flatnonzero(shared > 0)
        parts.append((first_inds[kept] + start, second_inds[kept], shared[kept]))
    return tuple(map(np.concatenate, zip(*parts, strict=True)))


def _match_candidates(truths: KittiObjects, detections: KittiObjects, iou_thr: float) -> _Pairs:
    """All pairs of the same frame with a larger IoU."""
    truth, detection, shared = _overlapping(truths, detections)
    truth_area = truths.width * truths.height
    detection_area = detections.width * detections.height
    iou = shared / (detection_area[detection] + truth_area[truth] - shared)
    near = iou > iou_thr
    return _Pairs(truth[near], detection[near], iou[near])


def _dontcare_overlap(dontcare: KittiObjects, detections: KittiObjects) -> np.ndarray:
    """(D,) largest share of each detection's own area inside one DontCare box, in [0, 1]."""
    _, detection, shared = _overlapping(dontcare, detections)
    share = np.zeros(len(detections))
    own_area = (detections.width * detections.height)[detection]
    np.maximum.at(share, detection, shared / own_area)
    return share


def evaluate_folders(
    gt_dir: str | Path, det_dir: str | Path, split: str | Path | None = None
) -> dict[str, dict[str, dict]]:
    """Evaluate a folder of result files against a folder of label files.

    Types are compared without regard to case. Objects of types that are not evaluated are ignored,
    and their numbers logged; like any detection, one too low may take a truth that does not count.

    Args:
        gt_dir: official label files, ``label_2``.
        det_dir: one result file per frame; empty where nothing was found.
        split: list of the frames to evaluate; by default those that have a file in ``det_dir``.

    Returns:
        As :func:`evaluate`, for the three official classes.

    Raises:
        FileNotFoundError: a folder or list that is not there.
        KittiDataError: nothing to evaluate, a frame without its label or result file, or whatever
            :func:`~mmdet_lrm.kitti.labels.read_objects` finds.
    """
    gt_dir, det_dir = Path(gt_dir), Path(det_dir)
    frames = _frames_to_evaluate(gt_dir, det_dir, split)
    problems: list[str] = []
    truths, detections = (
        read_objects(
            [f'{folder}/{name}.txt' for name in frames],
            scored=scored,
            known_types=None,
            problems=problems,
        )
        for folder, scored in ((gt_dir, False), (det_dir, True))
    )
    if problems:
        raise KittiDataError(problems)
    _say_ignored(gt_dir, truths, KITTI_TYPES)
    _say_ignored(det_dir, detections, KITTI_CLASSES)
    return evaluate(truths, detections)


def _frames_to_evaluate(gt_dir: Path, det_dir: Path, split: str | Path | None) -> list[str]:
    """Ids of the frames, each with its two files; the errors are :func:`evaluate_folders`'s."""
    for folder, content in ((gt_dir, 'label'), (det_dir, 'result')):
        if not folder.is_dir():
            raise FileNotFoundError(
                f'{folder} is no folder; give the folder of the {content} files'
            )
    if split is not None and not Path(split).is_file():
        raise FileNotFoundError(f'{split} is no file; give a list with one frame id per line')
    results, labels = frame_ids(det_dir), frame_ids(gt_dir)
    frames = sorted(results) if split is None else list(read_split(split))
    if not frames:
        hint = f'; {det_dir / "data"} has some' if any(det_dir.glob('data/*.txt')) else ''
        raise KittiDataError(
            [f'{det_dir}: no result files (000123.txt) in it, so nothing to evaluate{hint}']
        )
    problems = [
        f'{det_dir}: no result file {name}.txt of a frame in {split}; write an empty file for '
        'a frame without detections'
        for name in frames
        if name not in results
    ]
    problems += [
        f'{gt_dir}: no label file {name}.txt for the results in {det_dir}; give the folder of '
        'its labels, or a split without it'
        for name in frames
        if name not in labels
    ]
    if problems:
        raise KittiDataError(problems)
    return frames


def _say_ignored(folder: Path, objects: KittiObjects, types: Collection[str]) -> None:
    """Log how many objects are of other types than these, which the devkit ignores in silence."""
    counts = Counter(objects.types.tolist())
    ignored = {name: num for name, num in counts.most_common() if name not in types}
    if ignored:
        listed = ', '.join(f'{name} {num}' for name, num in ignored.items())
        _LOGGER.warning(
            f'{folder}: {sum(ignored.values())} of {len(objects)} objects are of types that are '
            f'not evaluated, and ignored: {listed}'
        )


def table_rows(result: dict[str, dict[str, dict]]) -> list[list[str]]:
    """Header and one row per class of a table of AP40 and AP11 in percent."""
    metrics = ('AP40', 'AP11')
    header = ['class', *(f'{level} {metric}' for metric in metrics for level in DIFFICULTIES)]
    rows = [
        [name, *(f'{levels[level][metric]:.2f}' for metric in metrics for level in DIFFICULTIES)]
        for name, levels in result.items()
    ]
    return [header, *rows]
