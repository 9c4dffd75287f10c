"""Priors that fit the boxes of a data set: k-means with 1 - IoU as distance.

Redmon & Farhadi, "YOLO9000", CVPR 2017, section 2: boxes are compared by width and height alone,
as if they had one centre, and a set of priors is as good as the mean IoU of the boxes with their
best prior.
"""

from collections.abc import Sequence

import numpy as np

MUTATION = 0.1  # standard deviation of the logarithm of a side


def shape_iou(sizes: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """IoU of boxes (n, 2) and priors (k, 2) with one centre, widths and heights: (n, k)."""
    width = np.minimum(sizes[:, None, 0], priors[:, 0])
    height = np.minimum(sizes[:, None, 1], priors[:, 1])
    intersection = width * height
    return intersection / (sizes.prod(axis=1)[:, None] + priors.prod(axis=1) - intersection)


def mean_iou(sizes: np.ndarray, priors: np.ndarray) -> float:
    """Mean over the boxes of the IoU with their best prior."""
    return float(shape_iou(sizes, priors).max(axis=1).mean())


def cluster(
    sizes: np.ndarray, num_priors: int, seed: int = 0, restarts: int = 3, mutations: int = 200
) -> np.ndarray:
    """Priors for boxes, by k-means from several starts, and then small changes that gain.

    Args:
        sizes: (n, 2) widths and heights in px of the network's input, > 0.
        num_priors: at least 1 and at most the number of different sizes.
        seed: of the starts and the changes.
        restarts: of which the best is taken.
        mutations: random changes of all sides, each kept if the mean IoU grows; 0 for none.

    Returns:
        (num_priors, 2), by area, smallest first.

    Raises:
        ValueError: there are fewer different sizes than priors.
    """
    different = np.unique(sizes, axis=0)
    if not 1 <= num_priors <= len(different):
        raise ValueError(
            f'{num_priors} priors were asked for {len(sizes)} boxes of {len(different)} different '
            f'sizes; ask for 1 to {len(different)}'
        )
    rng = np.random.default_rng(seed)
    found = [_k_means(sizes, different, num_priors, rng) for _ in range(restarts)]
    priors = max(found, key=lambda each: mean_iou(sizes, each))
    best = mean_iou(sizes, priors)
    for _ in range(mutations):
        changed = priors * np.exp(rng.normal(0, MUTATION, priors.shape))
        # Most changes of all sides lose; changing about one in three finds more that gain.
        changed = np.where(rng.random(priors.shape) < 0.3, changed, priors)
        value = mean_iou(sizes, changed)
        if value > best:
            priors, best = changed, value
    return priors[priors.prod(axis=1).argsort()]


def _k_means(
    sizes: np.ndarray, different: np.ndarray, num_priors: int, rng: np.random.Generator
) -> np.ndarray:
    priors = different[rng.choice(len(different), num_priors, replace=False)].astype(float)
    nearest = None
    for _ in range(100):
        assigned = shape_iou(sizes, priors).argmax(axis=1)
        if nearest is not None and (assigned == nearest).all():
            break
        nearest = assigned
        for index in range(num_priors):
            members = sizes[assigned == index]
            # The median is nearer to the best prior by IoU than the mean, which large boxes draw.
            priors[index] = np.median(members, axis=0) if len(members) else rng.choice(different)
    return priors


def by_level(priors: np.ndarray, counts: Sequence[int]) -> list[list[tuple[float, float]]]:
    """Priors, smallest first, to ``base_sizes`` of levels from coarse to fine with these counts."""
    rounded = [tuple(float(side) for side in prior) for prior in priors.round(1)]
    levels, end = [], len(rounded)
    for count in counts:
        levels.append(rounded[end - count : end])
        end -= count
    return levels
