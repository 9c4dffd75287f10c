"""Half-widths of intervals that could stand in the tables, for simulate_intervals.py.

Each takes values (R, M, S) of R repetitions, M methods, the baseline first, and S seeds, and gives
the half-widths (R, M - 1) about the mean differences, or (R, 1) where those are alike. With one
variant all but the sign flips are Student's of paired values.
"""

from collections.abc import Iterable

import numpy as np
from scipy import special, stats


def t_half(variance: np.ndarray, freedom: np.ndarray | int, confidence: float) -> np.ndarray:
    return stats.t.ppf((1 + confidence) / 2, freedom) * np.sqrt(variance)


def pooled(values: np.ndarray, confidence: float) -> np.ndarray:
    """Two-way analysis of variance: one noise of all methods."""
    _, methods, seeds = values.shape
    centred = values - values.mean(1, keepdims=True)
    freedom = (methods - 1) * (seeds - 1)
    return t_half(2 * squares(centred).sum(1, keepdims=True) / freedom / seeds, freedom, confidence)


def squares(values: np.ndarray) -> np.ndarray:
    """Sums of squared deviations from the mean over seeds: (..., S) -> (...)."""
    return values.var(axis=-1) * values.shape[-1]


def paired(values: np.ndarray, confidence: float) -> np.ndarray:
    """Student's interval of each variant's own differences."""
    freedom = values.shape[-1] - 1
    variances = squares(values[:, 1:] - values[:, :1]) / freedom
    return t_half(variances / values.shape[-1], freedom, confidence)


def moderated(values: np.ndarray, confidence: float) -> np.ndarray:
    """Variances of the differences shrunk to a common one, the strength estimated (Smyth 2004)."""
    _, methods, seeds = values.shape
    if methods == 2:
        return paired(values, confidence)
    freedom = seeds - 1
    variances = squares(values[:, 1:] - values[:, :1]) / freedom
    logs = np.log(variances) - special.digamma(freedom / 2) + np.log(freedom / 2)
    excess = logs.var(axis=1, ddof=1, keepdims=True) - special.polygamma(1, freedom / 2)
    grid = np.geomspace(1e6, 1e-3, 4000)  # trigamma falls; inverted by interpolation
    halves = np.interp(np.log(np.maximum(excess, 1e-6)), np.log(special.polygamma(1, grid)), grid)
    common = np.exp(logs.mean(1, keepdims=True) + special.digamma(halves)) / halves
    prior = np.minimum(2 * halves, (methods - 2) * freedom)  # not above what all have together
    shrunk = (prior * common + freedom * variances) / (prior + freedom)
    return t_half(shrunk / seeds, prior + freedom, confidence)


def satterthwaite(parts: Iterable[np.ndarray], freedoms: Iterable[int]) -> np.ndarray:
    """Degrees of freedom of a sum of estimated variances (Welch 1947)."""
    return sum(parts) ** 2 / sum(part**2 / each for part, each in zip(parts, freedoms, strict=True))


def two_groups(values: np.ndarray, confidence: float) -> np.ndarray:
    """The baseline's noise apart, one of all variants; without the effect of the seed."""
    _, methods, seeds = values.shape
    if methods == 2:
        return paired(values, confidence)
    variants = values[:, 1:]
    mean = variants.mean(1, keepdims=True)
    freedoms = seeds - 1, (methods - 2) * (seeds - 1)
    own = squares(values[:, :1] - mean) / freedoms[0]
    rest = squares(variants - mean).sum(1, keepdims=True) / freedoms[1] * (1 - 1 / (methods - 1))
    freedom = satterthwaite((own, rest), freedoms)
    return t_half((own + rest) / seeds, freedom, confidence)


def separate(values: np.ndarray, confidence: float) -> np.ndarray:
    """Each method's own noise, without the effect of the seed (Grubbs 1948)."""
    _, methods, seeds = values.shape
    if methods == 2:
        return paired(values, confidence)
    around = squares(values - values.mean(1, keepdims=True)) / (seeds - 1)
    of_mean = around.mean(1, keepdims=True) / (methods - 1)
    noise = np.maximum((around - of_mean) / (1 - 2 / methods), 1e-9)
    freedom = satterthwaite((noise[:, :1], noise[:, 1:]), [seeds - 1] * 2)
    return t_half((noise[:, :1] + noise[:, 1:]) / seeds, freedom, confidence)


def sign_flips(values: np.ndarray, confidence: float) -> np.ndarray:
    """Differences that no choice of signs makes too rare: between means of subsets (Hartigan 1969).

    Its ends lie unevenly about the mean, so there are two: (2, R, M - 1), below and above; infinite
    where the seeds are too few.
    """
    seeds = values.shape[2]
    subsets = (np.arange(1, 2**seeds)[:, None] >> np.arange(seeds)) & 1
    weights = (subsets / subsets.sum(axis=1, keepdims=True)).T
    outer = int((1 - confidence) / 2 * 2**seeds + 1e-9)  # means beyond each end, and the end
    ends = np.full((2, len(values), values.shape[1] - 1), np.inf)
    if outer:
        for variant in range(ends.shape[2]):  # one at a time, for the memory
            differences = values[:, variant + 1] - values[:, 0]
            means = differences @ weights - differences.mean(axis=1, keepdims=True)
            means.partition([outer - 1, -outer % means.shape[1]], axis=1)
            ends[:, :, variant] = -means[:, outer - 1], means[:, -outer]
    return ends


METHODS = {
    'one noise of all (before)': pooled,
    'paired Student': paired,
    'shrunk variances': moderated,
    'two groups': two_groups,
    'each its own noise': separate,
    'sign flips': sign_flips,
}
