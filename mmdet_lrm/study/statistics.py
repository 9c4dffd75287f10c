"""Differences of methods to their baseline, with intervals; docs/intervals.md tells why these."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

# Two seeds have an interval of 12.7 standard errors either way, three one of 4.3.
MIN_PAIRS = 3
# In the units of the values, percent. The paper's largest gain is 5 points of mAP; seeds by which
# twice as much could not be told from nothing say nothing.
LARGEST_GAIN = 10.0


class IntervalError(ValueError):
    """An interval that cannot be computed."""


class Difference(NamedTuple):
    """Of a variant to its baseline, over the seeds in which both have a value.

    ``mean`` is NaN without any such seed; ``low`` and ``high``, the ends of the interval, are None
    with fewer than two; ``pairs`` counts them.
    """

    mean: float
    low: float | None
    high: float | None
    pairs: int

    @property
    def is_noise(self) -> bool:
        """Whether 0 lies in the interval, or none could be made."""
        return self.low is None or self.low <= 0 <= self.high

    @property
    def says_nothing(self) -> bool:
        """Whether the seeds are too few: for an interval, or for one that could tell a gain.

        So it is with fewer than ``MIN_PAIRS``, and where 0 lies in an interval so wide that it
        would lie there after a gain of ``LARGEST_GAIN`` as well.
        """
        return self.pairs < MIN_PAIRS or (self.is_noise and self.high - self.mean > LARGEST_GAIN)


def paired_over_seeds(values: ArrayLike, confidence: float = 0.95) -> list[Difference]:
    """Differences of methods that share their seeds to the first of them.

    A variant and the baseline are compared in what they differ seed by seed, so an effect of the
    seed on both falls out, and the noise of the other variants has no part in it.

    Args:
        values: (M, S) of M methods, the baseline first, over S seeds. Where one is None or NaN,
            its method is compared over the other seeds.
        confidence: that an interval covers its true difference. For all of m intervals to cover
            theirs with 95 %, give 1 - 0.05 / m (Bonferroni).

    Returns:
        M - 1 differences.

    Raises:
        IntervalError: the confidence is not a share between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise IntervalError(f'confidence is {confidence}; it must lie between 0 and 1, as 0.95')
    values = np.asarray(values, dtype=float)
    return [students_interval(each[~np.isnan(each)], confidence) for each in values[1:] - values[0]]


def students_interval(differences: np.ndarray, confidence: float) -> Difference:
    """Of the mean of numbers (S,)."""
    pairs = len(differences)
    if pairs < 2:
        return Difference(differences.item() if pairs else np.nan, None, None, pairs)
    mean = differences.mean()
    half = stats.t.ppf((1 + confidence) / 2, pairs - 1) * stats.sem(differences)
    return Difference(*map(float, (mean, mean - half, mean + half)), pairs)
