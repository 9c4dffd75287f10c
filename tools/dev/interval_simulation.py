"""Values of methods over seeds as they could be, and how intervals do on them.

R repetitions, M methods (the baseline first), V = M - 1 variants, S seeds. A value is a percentage
whose logit is the sum of an effect of the seed, alike for all methods, and of normal noise; so it
keeps off 0 and 100, and is skewed near them.
"""

from itertools import product
from typing import NamedTuple

import numpy as np
from interval_methods import METHODS
from scipy import special

REPETITIONS = 20_000
CONFIDENCE = 0.95
CHOSEN = 'paired Student'
GAIN = 2  # in deviations of the noise
# Deviations of the noise: of the baseline, of the first variant, of the others.
NOISE = {
    'baseline quieter, 1 to 3': (1, 3, 3),
    'all alike': (1, 1, 1),
    'baseline noisier, 3 to 1': (3, 1, 1),
    'one variant noisier, 3 to 1': (1, 3, 1),
}
# Where values lie and how many points a deviation of 1 has there: the noisiest lies four deviations
# from 0 or 100, and one "at the bound".
PLACES = {'inside': (50, 1), 'near 0': (3, 0.25), 'near 100': (97, 0.25), 'at the bound': (97, 1)}
VARIANTS = 1, 3, 16
SEEDS = 3, 5, 8


class Condition(NamedTuple):
    noise: str
    variants: int
    seeds: int
    place: str


class Outcome(NamedTuple):
    """Percent of the intervals; mean half-width in deviations of the noise."""

    misses: float
    sees_gain: float
    width: float


def conditions() -> list[Condition]:
    """All, but one variant apart from the others where there is one; at the bound an example."""
    *_, noisier, odd = NOISE
    return [
        each
        for each in (Condition(*parts) for parts in product(NOISE, VARIANTS, SEEDS, PLACES))
        if (each.noise, each.variants) != (odd, 1)
        and (each.place != 'at the bound' or each[:2] == (noisier, 3))
    ]


def draw(condition: Condition, repetitions: int) -> tuple[np.ndarray, np.ndarray]:
    """Values (R, M, S) and the true differences (V,), the same at every call."""
    key = [list(NOISE).index(condition.noise), *condition[1:3], list(PLACES).index(condition.place)]
    rng = np.random.default_rng(key)
    baseline, first, others = NOISE[condition.noise]
    deviations = np.array([baseline, first, *[others] * (condition.variants - 1)])[:, None]
    centre, unit = PLACES[condition.place]
    logit, slope = special.logit(centre / 100), 100 * unit / (centre * (100 - centre))
    of_seed = rng.standard_normal((repetitions, 1, condition.seeds))
    noise = deviations * rng.standard_normal((repetitions, len(deviations), condition.seeds))
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    spread = slope * np.hypot(1, deviations)  # of seed and noise together
    means = 100 * special.expit(logit + spread * nodes) @ weights / weights.sum()
    return 100 * special.expit(logit + slope * (of_seed + noise)), means[1:] - means[0]


def measure(condition: Condition, repetitions: int) -> tuple[dict[str, Outcome], float]:
    """Outcomes by method, of the noisier variant where there is one.

    And the percent of repetitions in which any of the chosen method's intervals misses, after each
    was widened for all to hold together (Bonferroni).
    """
    values, true = draw(condition, repetitions)
    errors = (values[:, 1:] - values[:, :1]).mean(axis=2) - true
    baseline, first, others = NOISE[condition.noise]
    deviation = PLACES[condition.place][1] * np.hypot(baseline, first) / 2**0.5
    watched = slice(0, 1 if first != others else None)
    found = {}
    for name, method in METHODS.items():
        below, above = np.broadcast_to(method(values, CONFIDENCE), (2, *errors.shape))[..., watched]
        error = errors[:, watched]
        missed = (error > below) | (error < -above)
        seen = error + GAIN * deviation > below
        width = (below + above).mean() / 2 / deviation
        found[name] = Outcome(100 * missed.mean(), 100 * seen.mean(), width)
    widened = METHODS[CHOSEN](values, 1 - (1 - CONFIDENCE) / condition.variants)
    return found, 100 * (np.abs(errors) > widened).any(axis=1).mean()
