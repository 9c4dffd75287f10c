"""What is wrong with detections: the error types of TIDE, and where they lie.

Bolya et al., 'TIDE: A General Toolbox for Identifying Object Detection Errors', ECCV 2020. Its
package tidecv had its last release in 2020; what is defined here is compared with it in a test.

Letters: G truths and D detections of one image or of all, C classes. Boxes are x1, y1, x2, y2 in px
of the image file. A detection is, with t the IoU threshold and b = ``BACKGROUND``,

- found: of its class's truths that no higher score has taken the nearest has an IoU of t or more;
- localisation: the nearest truth of its class lies between b and t;
- class: else, one of another class has t or more;
- duplicate: else, one of its class has t or more, which a higher score has taken;
- background: else, no truth has more than b; 'both' (class and place are wrong) is what remains.

A truth is missed if it is neither found nor what a localisation or class error was meant for.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from mmdet.evaluation.functional import average_precision, bbox_overlaps

BACKGROUND = 0.1
FOUND, IGNORED = 'found', 'ignored'
FALSE = ('localisation', 'class', 'both', 'duplicate', 'background')
KINDS = (*FALSE, 'missed')
CROWDS = 4  # groups by the number of neighbours: none, one, two, more


class Detected(NamedTuple):
    """An image with its truths and detections."""

    path: str
    boxes: np.ndarray
    """(G, 4) of the truths that count."""
    labels: np.ndarray
    """(G,) of them, in [0, C)."""
    ignored: np.ndarray
    """(I, 4) regions in which an unmatched detection is neither right nor wrong."""
    found: np.ndarray
    """(D, 4) detections."""
    classes: np.ndarray
    """(D,) of them."""
    scores: np.ndarray
    """(D,) of them, in [0, 1]."""

    def above(self, score: float) -> 'Detected':
        """With the detections of this score or a higher one."""
        kept = self.scores >= score
        return self._replace(
            found=self.found[kept], classes=self.classes[kept], scores=self.scores[kept]
        )


class Judged(NamedTuple):
    """Detections and truths, of an image or of all, in the order that they were given in."""

    labels: np.ndarray
    """(D,) classes of the detections."""
    scores: np.ndarray
    """(D,) of them."""
    kinds: np.ndarray
    """(D,) str: ``FOUND``, ``IGNORED`` or one of ``FALSE``."""
    meant: np.ndarray
    """(D,) index of the truth that is found, or that a localisation or class error is for; -1."""
    nearest: np.ndarray
    """(D,) index of the truth, of any class, with the largest IoU above ``BACKGROUND``; -1."""
    touched: np.ndarray
    """(D,) number of truths that share area with a detection."""
    truths: np.ndarray
    """(G,) classes of the truths."""
    neighbours: np.ndarray
    """(G,) number of other truths, of any class, with an IoU above ``BACKGROUND``."""

    @property
    def taken(self) -> np.ndarray:
        """(G,) whether a truth is found."""
        return self._any(self.kinds == FOUND)

    @property
    def missed(self) -> np.ndarray:
        """(G,) whether nothing was meant for a truth."""
        return ~self._any(self.meant >= 0)

    def _any(self, of: np.ndarray) -> np.ndarray:
        return np.bincount(self.meant[of], minlength=len(self.truths)) > 0


def judge(images: Sequence[Detected], iou_thr: Sequence[float]) -> Judged:
    """All images; ``iou_thr`` (C,) by the class of the truth."""
    parts, start = [], 0
    for image in images:
        part = judge_one(image, np.asarray(iou_thr))
        shifted = (np.where(each < 0, -1, each + start) for each in (part.meant, part.nearest))
        parts.append(part._replace(**dict(zip(('meant', 'nearest'), shifted, strict=True))))
        start += len(part.truths)
    return Judged(*map(np.concatenate, zip(*parts, strict=True)))


def judge_one(image: Detected, iou_thr: np.ndarray) -> Judged:
    iou = bbox_overlaps(image.found, image.boxes)
    same = image.classes[:, None] == image.labels
    limits = np.broadcast_to(iou_thr[image.labels], iou.shape)
    meant = match(np.where(same, iou, 0), image.scores, limits)
    kinds = np.full(len(iou), FOUND, dtype='<U12')
    wrong = np.flatnonzero(meant < 0)
    kinds[wrong], meant[wrong] = kinds_of_wrong(iou[wrong], same[wrong], limits[wrong])
    covered = bbox_overlaps(image.found[wrong], image.ignored, mode='iof').max(axis=1, initial=0)
    excused = wrong[covered > 0.5]
    kinds[excused], meant[excused] = IGNORED, -1
    best, nearest = largest(iou)
    return Judged(
        *(image.classes, image.scores, kinds, meant),
        nearest=np.where(best > BACKGROUND, nearest, -1),
        touched=(iou > 0).sum(axis=1),
        truths=image.labels,
        neighbours=neighbours(image.boxes),
    )


def neighbours(boxes: np.ndarray) -> np.ndarray:
    """Number of other boxes (G,) with an IoU above ``BACKGROUND``; (G, 4) -> (G,)."""
    near = bbox_overlaps(boxes, boxes) > BACKGROUND
    np.fill_diagonal(near, False)
    return near.sum(axis=1)


def match(iou: np.ndarray, scores: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """The truth (D,) that each detection finds, or -1: the nearest that no higher score has taken.

    Args:
        iou: (D, G), 0 where classes differ.
        limits: (D, G), what the IoU must reach.
    """
    free, found = iou.copy(), np.full(len(iou), -1)
    if iou.shape[1]:
        for each in np.argsort(-scores, kind='stable'):
            truth = free[each].argmax()
            if free[each, truth] >= limits[each, truth]:
                found[each] = truth
                free[:, truth] = 0
    return found


def kinds_of_wrong(
    iou: np.ndarray, same: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Kinds (W,) of unmatched detections, and the truths (W,) that they are meant for, or -1.

    Args:
        iou, same, limits: (W, G); ``same`` tells whether classes are.
    """
    own, place = largest(np.where(same, iou, 0))
    other, other_place = largest(np.where(same, 0, iou))
    reaches = (same & (iou >= limits)).any(axis=1)
    rows, columns = np.arange(len(iou)), iou.shape[1]
    own_limit, other_limit = (
        limits[rows, each] if columns else np.ones(len(iou)) for each in (place, other_place)
    )
    tests = {
        'localisation': (own >= BACKGROUND) & (own < own_limit),
        'class': other >= other_limit,
        'duplicate': reaches,
        'background': np.maximum(own, other) <= BACKGROUND,
    }
    kinds = np.select([*tests.values()], [*tests], 'both').astype('<U12')
    meant = np.select([kinds == 'localisation', kinds == 'class'], [place, other_place], -1)
    return kinds, meant


def largest(iou: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest IoU (D,) of each detection, 0 without truths, and which truth has it."""
    if not iou.shape[1]:
        return np.zeros(len(iou)), np.zeros(len(iou), dtype=int)
    return iou.max(axis=1), iou.argmax(axis=1)


# --- average precision, as it is and mended -------------------------------------------------------


def ap(scores: np.ndarray, right: np.ndarray, num_truths: int) -> float:
    """Area under the monotone precision over recall, a share; NaN without truths.

    Args:
        scores: (D,), of one class.
        right: (D,) bool.
    """
    if not num_truths:
        return np.nan
    right = right[np.argsort(-scores, kind='stable')]
    true, number = np.cumsum(right), np.arange(1, len(right) + 1)
    return float(average_precision(true / num_truths, true / number))


def mean_ap(judged: Judged, num_classes: int) -> float:
    """Mean over the classes that have truths."""
    counts, right = judged.kinds != IGNORED, judged.kinds == FOUND
    totals = np.bincount(judged.truths, minlength=num_classes)
    own = (counts & (judged.labels == label) for label in range(num_classes))
    found = [
        ap(judged.scores[of], right[of], num) for of, num in zip(own, totals, strict=True) if num
    ]
    return float(np.mean(found)) if found else np.nan


def mended(judged: Judged, kind: str) -> Judged:
    """As if no error of a kind had been made, as TIDE's oracles do.

    A localisation or class error becomes right, with the class of the truth that it is meant for,
    if it has the highest score of the errors meant for it and nothing finds it; other wrong
    detections are taken away, and missed truths too.
    """
    if kind == 'missed':
        kept = ~judged.missed
        places = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)  # the last for -1
        meant, nearest = places[judged.meant], places[judged.nearest]
        return judged._replace(
            meant=meant,
            nearest=nearest,
            truths=judged.truths[kept],
            neighbours=judged.neighbours[kept],
        )
    of = judged.kinds == kind
    chosen = of & highest_of_truth(judged)
    kinds, labels = judged.kinds.copy(), judged.labels.copy()
    kinds[of], kinds[chosen] = IGNORED, FOUND
    labels[chosen] = judged.truths[judged.meant[chosen]]
    return judged._replace(kinds=kinds, labels=labels)


def highest_of_truth(judged: Judged) -> np.ndarray:
    """(D,) whether a detection has the highest score of those meant for a truth that none finds."""
    may = np.isin(judged.kinds, ('localisation', 'class'))
    may[may] = ~judged.taken[judged.meant[may]]
    order = np.flatnonzero(may)
    order = order[np.lexsort((-judged.scores[order], judged.meant[order]))]
    first = np.diff(judged.meant[order], prepend=-1) != 0
    chosen = np.zeros(len(judged.kinds), dtype=bool)
    chosen[order[first]] = True
    return chosen


def best_score(judged: Judged) -> float:
    """The score above which detections of all classes together have the best F1; infinite of none.

    Detectors that were trained otherwise give other scores, so each is looked at where it is best.
    """
    counts = judged.kinds != IGNORED
    scores, right = judged.scores[counts], judged.kinds[counts] == FOUND
    if not right.any():
        return np.inf
    order = np.argsort(-scores, kind='stable')
    # F1 is twice the true ones over detections and truths.
    f1 = 2 * np.cumsum(right[order]) / (np.arange(1, len(order) + 1) + len(judged.truths))
    ends = np.append(np.diff(scores[order]) != 0, True)  # of equal scores all are taken
    return float(scores[order][np.where(ends, f1, 0).argmax()])


# --- in crowds ------------------------------------------------------------------------------------


def ap_by_neighbours(judged: Judged, label: int) -> list[float]:
    """AP (``CROWDS``,) of a class by the number of neighbours; the last group has all above it.

    A false detection belongs to the group of the nearest truth of any class; those near to none are
    no matter of crowds and left out. NaN of a group without truths.
    """
    groups = np.minimum(judged.neighbours, CROWDS - 1)
    right = judged.kinds == FOUND
    place = np.where(right, judged.meant, judged.nearest)
    of_class = (judged.labels == label) & (judged.kinds != IGNORED) & (place >= 0)
    found = []
    for group in range(CROWDS):
        near = of_class.copy()
        near[of_class] = groups[place[of_class]] == group
        num = int(((judged.truths == label) & (groups == group)).sum())
        found.append(ap(judged.scores[near], right[near], num))
    return found


def between(judged: Judged) -> np.ndarray:
    """(D,) background that touches two truths or more: false alarms between objects."""
    return (judged.kinds == 'background') & (judged.touched > 1)


# --- of a run -------------------------------------------------------------------------------------


def summary(
    images: Sequence[Detected], classes: Sequence[str], iou_thr: Sequence[float]
) -> dict[str, float]:
    """What a record keeps: all of it shares, NaN of nothing.

    Returns:
        ``score``, where F1 is best; from there on, for each truth, ``count/KIND`` of ``KINDS``,
        ``count/between`` of the background, and ``count/found``; ``gain/KIND``, the mean AP that
        would come without these errors, of all detections; ``crowd/CLASS/N``, the AP of the truths
        with N neighbours, and ``share/CLASS/N``, what share of the class has as many.
    """
    judged = judge(images, iou_thr)
    score, total = best_score(judged), max(len(judged.truths), 1)
    seen = judge([image.above(score) for image in images], iou_thr)
    counts = {kind: (seen.kinds == kind).sum() for kind in (FOUND, *FALSE)}
    counts |= dict(missed=seen.missed.sum(), between=between(seen).sum())
    before = mean_ap(judged, len(classes))
    gains = {kind: max(mean_ap(mended(judged, kind), len(classes)) - before, 0.0) for kind in KINDS}
    groups = np.minimum(judged.neighbours, CROWDS - 1)
    crowds = {}
    for label, name in enumerate(classes):
        own = groups[judged.truths == label]
        shares = np.bincount(own, minlength=CROWDS) / max(len(own), 1)
        for group, value in enumerate(ap_by_neighbours(judged, label)):
            if shares[group]:
                crowds |= {f'crowd/{name}/{group}': value, f'share/{name}/{group}': shares[group]}
    return (
        {'score': score, 'ap': before}
        | {f'count/{kind}': float(value / total) for kind, value in counts.items()}
        | {f'gain/{kind}': value for kind, value in gains.items()}
        | {name: float(value) for name, value in crowds.items()}
    )
