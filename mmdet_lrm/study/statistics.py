"""Means, spreads, and differences to a baseline with their intervals."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
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


def paired_over_seeds(values: ArrayLike, confidence: float = 0.95) -> list[Difference]:
    """Differences of methods that share their seeds to the first of them.

    A value is taken for the sum of its method, its seed and noise that is about normal and equally
    large for all (two-way analysis of variance without repetition). Few seeds tell little of the
    noise of one method, but all methods together tell of the common one; for two methods this is
    Student's interval of paired values.

    Args:
        values: (M, S) of M methods, the baseline first, over S seeds; one seed gives no interval.
        confidence: that an interval covers its true difference.

    Returns:
        M - 1 differences.
    """
    values = np.asarray(values, dtype=float)
    methods, seeds = values.shape
    means = (values - values[0]).mean(axis=1)[1:].tolist()
    if seeds < 2:
        return [Difference(mean, None, None) for mean in means]
    of_method, of_seed = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    noise = values - of_method - of_seed + values.mean()
    freedom = (methods - 1) * (seeds - 1)
    error = np.sqrt(2 * (noise**2).sum() / freedom / seeds)
    half = float(stats.t.ppf((1 + confidence) / 2, freedom) * error)
    return [Difference(mean, mean - half, mean + half) for mean in means]
