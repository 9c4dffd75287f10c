"""Means, spreads, and differences to a baseline with their intervals."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Difference(NamedTuple):
    """Of a variant to its baseline: the mean, and the ends of its confidence interval or None."""

    mean: float
    low: float | None
    high: float | None

    @property
    def is_noise(self) -> bool:
        """Whether 0 lies in the interval, or none could be made."""
        return self.low is None or self.low <= 0 <= self.high


def paired_over_seeds(
    variant: Sequence[float], baseline: Sequence[float], confidence: float = 0.95
) -> Difference:
    """Difference of runs that share their seeds, with Student's interval for paired values.

    Args:
        variant, baseline: a value for each seed, in the same order; one seed gives no interval.
        confidence: that the interval covers the true mean, if differences are about normal.
    """
    differences = np.subtract(variant, baseline)
    mean = float(differences.mean())
    if len(differences) < 2:
        return Difference(mean, None, None)
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    half = float(stats.t.ppf((1 + confidence) / 2, len(differences) - 1) * error)
    return Difference(mean, mean - half, mean + half)


def paired_over_images(
    difference: float,
    variant: Sequence[float],
    baseline: Sequence[float],
    confidence: float = 0.95,
) -> Difference:
    """Difference of two single runs, with the bootstrap's percentiles over the same drawings.

    It covers which images were evaluated and nothing of the training's own noise.

    Args:
        difference: on the images as they are.
        variant, baseline: values over the drawings of :func:`.images.bootstrap`.
        confidence: share of the drawings within the interval.
    """
    drawn = np.subtract(variant, baseline)
    low, high = np.nanpercentile(drawn, [50 * (1 - confidence), 50 * (1 + confidence)])
    return Difference(difference, float(low), float(high))
