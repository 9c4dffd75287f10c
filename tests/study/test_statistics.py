"""Intervals of differences on hand-worked numbers, on SciPy's, and in simulation."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from written_tables import around_table

from mmdet_lrm.study.statistics import Difference, IntervalError, paired_over_seeds

ROOT = Path(__file__).parents[2]
NAN = float('nan')


def test_a_difference_has_students_interval_of_paired_seeds():
    # Differences 1, 2, 3: mean 2, deviation 1, t of 2 degrees of freedom 4.3027 (99 %: 9.9248).
    (found,) = paired_over_seeds([[10, 20, 30], [11, 22, 33]])
    assert found == pytest.approx((2, 2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5, 3), abs=1e-4)
    (wider,) = paired_over_seeds([[10, 20, 30], [11, 22, 33]], confidence=0.99)
    assert wider == pytest.approx((2, 2 - 9.9248 / 3**0.5, 2 + 9.9248 / 3**0.5, 3), abs=1e-4)


@pytest.mark.parametrize('confidence', [0.95, 1 - 0.05 / 16])
def test_each_variant_has_scipys_interval_whatever_the_others_do(confidence):
    values = np.random.default_rng(0).normal(70, [[5.0], [0.2], [1.0], [9.0]], (4, 6))
    found = paired_over_seeds(values, confidence)
    for variant, difference in zip(values[1:], found, strict=True):
        ends = stats.ttest_rel(variant, values[0]).confidence_interval(confidence)
        assert difference[1:3] == pytest.approx((ends.low, ends.high))


def test_a_seed_without_a_value_is_left_out_of_its_pair_alone():
    # The second variant keeps differences 1 and 3: mean 2, deviation 1.4142, t of one degree of
    # freedom 12.7062. The third keeps one pair, the fourth none.
    found = paired_over_seeds(
        [[10, 20, 30, NAN], [11, 22, 33, 5], [11, None, 33, 5], [NAN, 21, NAN, 5], [NAN] * 4]
    )
    assert [each.pairs for each in found] == [3, 2, 1, 0]
    assert found[0] == pytest.approx((2, 2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5, 3), abs=1e-4)
    assert found[1] == pytest.approx((2, 2 - 12.7062, 2 + 12.7062, 2), abs=1e-4)
    assert found[2] == (1, None, None, 1)
    assert found[3] == pytest.approx((NAN, None, None, 0), nan_ok=True)


def test_one_seed_has_no_interval():
    assert paired_over_seeds([[1], [3]]) == [(2, None, None, 1)]


def test_only_an_interval_on_one_side_of_zero_is_more_than_noise():
    assert Difference(2, None, None, 1).is_noise
    assert Difference(2, -0.1, 4.1, 3).is_noise
    assert Difference(2, 0, 4, 3).is_noise
    assert not Difference(2, 0.1, 3.9, 3).is_noise
    assert not Difference(-2, -3.9, -0.1, 3).is_noise


def test_too_few_seeds_say_nothing():
    assert Difference(2, None, None, 1).says_nothing
    assert Difference(2, 1, 3, 2).says_nothing
    assert not Difference(2, 1, 3, 3).says_nothing
    # Half-widths of 10.1 and 9.9: of a gain of 10 points one would hold 0 as well, one not.
    assert Difference(2, -8.1, 12.1, 3).says_nothing
    assert not Difference(2, -7.9, 11.9, 3).says_nothing
    # However wide, it excludes 0.
    assert not Difference(30, 5, 55, 3).says_nothing


@pytest.mark.parametrize('confidence', [0, 1, 95])
def test_a_confidence_is_a_share(confidence):
    with pytest.raises(IntervalError, match=rf'confidence is {confidence}; it must lie between'):
        paired_over_seeds([[1, 2], [3, 4]], confidence)


@pytest.fixture
def programs(monkeypatch):
    """The simulation's modules: its tables and what makes them."""
    monkeypatch.syspath_prepend(ROOT / 'tools/dev')
    import interval_simulation
    import simulate_intervals

    return simulate_intervals, interval_simulation


@pytest.mark.parametrize(
    ('noise', 'variants', 'seeds', 'place'),
    [
        ('baseline noisier, 3 to 1', 1, 3, 'near 100'),
        ('baseline noisier, 3 to 1', 16, 3, 'inside'),
        ('baseline quieter, 1 to 3', 3, 8, 'near 0'),
        ('one variant noisier, 3 to 1', 3, 3, 'inside'),
    ],
)
def test_the_chosen_interval_misses_as_often_as_it_says(programs, noise, variants, seeds, place):
    _, simulation = programs
    values, true = simulation.draw(simulation.Condition(noise, variants, seeds, place), 4000)
    missed = [
        not found.low <= difference <= found.high
        for each in values
        for found, difference in zip(paired_over_seeds(each), true, strict=True)
    ]
    assert 0.04 <= np.mean(missed) <= 0.06


def test_the_true_difference_is_the_mean_of_endless_seeds(programs):
    # Near a bound the noisier method is the lower one in the mean, though all have one median.
    _, simulation = programs
    condition = simulation.Condition('baseline noisier, 3 to 1', 1, 8, 'at the bound')
    values, (true,) = simulation.draw(condition, 200_000)
    assert true > 1.4
    # The mean of 1.6 million differences has a standard error of 0.0044.
    assert np.mean(values[:, 1] - values[:, 0]) == pytest.approx(true, abs=0.015)


def test_the_interval_of_before_misses_with_a_noisy_baseline(programs):
    _, simulation = programs
    condition = simulation.Condition('baseline noisier, 3 to 1', 3, 3, 'inside')
    outcomes, any_misses = simulation.measure(condition, 4000)
    assert 12 <= outcomes['one noise of all (before)'].misses <= 15
    # Bonferroni's three intervals share a baseline, so they miss together: less often than 5 %.
    assert 3 <= any_misses <= 5


def test_the_page_shows_what_the_program_simulates(programs):
    tables, simulation = programs
    row = [each for each in simulation.conditions() if each[:2] == ('all alike', 1)]
    outcomes = {each: simulation.measure(each, simulation.REPETITIONS) for each in row}
    line = tables.misses_table(outcomes).splitlines()[2]
    assert line in tables.DOCUMENT.read_text().splitlines()


@pytest.fixture
def resampling(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tools/dev')
    pytest.importorskip('mmdet', reason='records are read where there is mmdet')
    import resample_runs

    return resample_runs


def test_the_page_shows_what_is_drawn_from_the_recorded_runs(resampling):
    _, shown, _ = around_table(resampling.NAME, resampling.DOCUMENT)
    assert shown == resampling.table(*resampling.recorded())


def test_runs_of_one_method_are_told_apart_as_often_as_intervals_say(resampling):
    # 5 % of draws from normal noise; few values that are drawn from scatter it.
    values = np.random.default_rng(0).normal(0.5, 0.1, 2000)
    assert resampling.misses(values, 5) == pytest.approx(0.05, abs=0.01)
    assert resampling.misses(np.ones(40), 5) == 0


def test_an_effect_is_seen_where_it_is_larger_than_its_noise(resampling, study_of):
    records = study_of('voc/mAP', {'a': [0.5, 0.6, 0.4, 0.5], 'b': [0.4, 0.5, 0.3, 0.4]})
    found = resampling.differences(records[::-1], 'voc/mAP')
    assert found == pytest.approx([-0.1] * 4)
    assert resampling.sees(found + np.array([0, 0.001, 0.002, 0]), 3) == 1
    assert resampling.sees(-found, 3) == 0
    # Of these four, one triple does without the outlier.
    assert resampling.sees(np.array([-1.0, -1.1, -0.9, 5.0]), 3) == pytest.approx(0.25, abs=0.02)
