"""Priors that fit the boxes of a data set: k-means with 1 - IoU as distance.

Redmon & Farhadi, "YOLO9000", CVPR 2017, section 2: boxes are compared by width and height alone,
as if they had one centre, and a set of priors is as good as the mean IoU of the boxes with their
best prior.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm import tqdm

from ..colours import BLUE, GREY, RED
from ..errors import UserError
from ..progress import BAR

MUTATION = 0.1  # largest standard deviation of the logarithm of a side
SAMPLE = 3000  # boxes
STARTS = 20


class PriorsError(UserError):
    """A number of priors that the boxes or the levels do not allow."""


def shape_iou(sizes: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """IoU of boxes (n, 2) and priors (k, 2) with one centre, widths and heights: (n, k)."""
    width = np.minimum(sizes[:, None, 0], priors[:, 0])
    height = np.minimum(sizes[:, None, 1], priors[:, 1])
    intersection = width * height
    return intersection / (sizes.prod(axis=1)[:, None] + priors.prod(axis=1) - intersection)


def mean_iou(sizes: np.ndarray, priors: np.ndarray) -> float:
    """Mean over the boxes of the IoU with their best prior."""
    return float(shape_iou(sizes, priors).max(axis=1).mean())


def cluster(sizes: np.ndarray, num_priors: int, seed: int = 0, mutations: int = 600) -> np.ndarray:
    """Priors for boxes, by k-means from many starts, and then small changes that gain.

    The starts are tried on a sample of the boxes, of which the few best are changed there and the
    best of these on all boxes: many cheap starts find better priors than few expensive ones.

    Args:
        sizes: (n, 2) widths and heights in px of the network's input, > 0.
        num_priors: at least 1 and at most the number of different sizes.
        seed: of the sample, the starts and the changes.
        mutations: random changes of some sides, each kept if the mean IoU grows; 0 for none.

    Returns:
        (num_priors, 2), by area, smallest first.

    Raises:
        PriorsError: there are fewer different sizes than priors.
    """
    num_different = len(np.unique(sizes, axis=0))
    if not 1 <= num_priors <= num_different:
        raise PriorsError(
            f'{num_priors} priors were asked for {len(sizes)} boxes of {num_different} different '
            f'sizes; ask for 1 to {num_different}'
        )
    rng = np.random.default_rng(seed)
    sample = sizes if len(sizes) <= SAMPLE else rng.choice(sizes, SAMPLE, replace=False)
    if len(np.unique(sample, axis=0)) < num_priors:
        sample = sizes
    starts = tqdm(range(STARTS), 'k-means', unit='start', **BAR)
    found = [_k_means(sample, num_priors, rng) for _ in starts]
    found.sort(key=lambda priors: mean_iou(sample, priors), reverse=True)
    found = [_mutate(sample, priors, mutations, rng) for priors in found[:3]]
    priors = _mutate(sizes, max(found, key=lambda each: mean_iou(sizes, each)), mutations, rng)
    return priors[priors.prod(axis=1).argsort()]


def _k_means(sizes: np.ndarray, num_priors: int, rng: np.random.Generator) -> np.ndarray:
    different = np.unique(sizes, axis=0)
    priors = rng.choice(different, num_priors, replace=False)
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


def _mutate(
    sizes: np.ndarray, priors: np.ndarray, number: int, rng: np.random.Generator
) -> np.ndarray:
    best = mean_iou(sizes, priors)
    for _ in tqdm(range(number), f'changes, {len(sizes)} boxes', unit='change', **BAR):
        # Most changes of all sides lose; changing about one in three finds more that gain.
        change = rng.normal(0, MUTATION * rng.random(), priors.shape)
        changed = priors * np.exp(np.where(rng.random(priors.shape) < 0.3, change, 0))
        changed = changed.astype(priors.dtype)
        value = mean_iou(sizes, changed)
        if value > best:
            priors, best = changed, value
    return priors


def counts_by_level(own: Sequence[int], num: int | None) -> list[int]:
    """How many priors each level gets.

    Args:
        own: the config's counts; none for a head without YOLO's priors.
        num: of all levels; None for as many as the config has, or 5.

    Raises:
        PriorsError: ``num`` cannot be dealt evenly.
    """
    counts = list(own) or [num or 5]
    num = num or sum(counts)
    if num % len(counts):
        raise PriorsError(
            f'--num is {num}, and the config has {len(counts)} levels of equal numbers'
        )
    return counts if num == sum(counts) else [num // len(counts)] * len(counts)


def by_level(priors: np.ndarray, counts: Sequence[int]) -> list[list[tuple[float, float]]]:
    """Priors, smallest first, to ``base_sizes`` of levels from coarse to fine with these counts."""
    rounded = [tuple(prior) for prior in priors.astype(float).round(1).tolist()]
    levels, end = [], len(rounded)
    for count in counts:
        levels.append(rounded[end - count : end])
        end -= count
    return levels


def draw(sizes: np.ndarray, priors: np.ndarray, own: np.ndarray | None = None) -> Axes:
    """Boxes (n, 2), new priors (k, 2) and the config's own (m, 2) by width and height in px."""
    axes = Figure(figsize=(7, 5), layout='constrained').subplots()
    axes.scatter(*sizes.T, s=3, color=GREY, alpha=0.3, linewidths=0, label=f'{len(sizes)} boxes')
    circles = dict(marker='o', facecolors='none', edgecolors=BLUE, linewidths=1.5)
    squares = dict(marker='s', color=RED)
    for name, each, style in (('old', own, circles), ('new', priors, squares)):
        if each is not None:
            label = f'{len(each)} {name} priors, mean IoU {mean_iou(sizes, each):.3f}'
            axes.scatter(*each.T, s=60, label=label, **style)
    axes.set(xscale='log', yscale='log', xlabel='width, px', ylabel='height, px')
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter('{x:g}')
    for handle in axes.figure.legend(loc='outside upper center', ncols=3).legend_handles:
        handle.set(alpha=1, sizes=[40])
    return axes
