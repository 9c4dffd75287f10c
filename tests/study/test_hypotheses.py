"""The verdicts on the hypotheses are those of their plan's table, and the documents show them."""

import judge_hypotheses
import pytest
from written_tables import around_table

from mmdet_lrm.study.statistics import Difference

H1, H2, H3, H4 = judge_hypotheses.HYPOTHESES


@pytest.mark.parametrize(
    ('hypothesis', 'low', 'high', 'verdict'),
    [
        (H1, 0.1, 1.9, 'confirmed'),
        (H1, 0.1, 1.7, 'too small to tell'),  # above 0, but its middle is no 1
        (H1, -0.1, 2.3, 'too small to tell'),
        (H1, 0.2, 0.9, 'refuted'),  # a gain, and smaller than was claimed
        (H3, 0.1, 1.9, 'confirmed'),
        (H3, -3.0, 0.9, 'refuted'),
        (H2, -1.9, -0.1, 'confirmed'),  # a loss, and smaller than was allowed
        (H2, -2.1, 3.0, 'too small to tell'),
        (H2, -4.0, -2.1, 'refuted'),
        (H4, 0.1, 0.5, 'confirmed'),
        (H4, -0.1, 0.5, 'too small to tell'),
        (H4, -0.5, -0.1, 'refuted'),
    ],
)
def test_an_interval_has_the_verdict_of_the_plan(hypothesis, low, high, verdict):
    found = Difference((low + high) / 2, low, high, judge_hypotheses.SEEDS)
    assert judge_hypotheses.judge(hypothesis, found, {}) == verdict
    of_four = found._replace(pairs=4)
    assert judge_hypotheses.judge(hypothesis, of_four, {}) == 'open'
    assert judge_hypotheses.judge(hypothesis, None, {}) == 'open'


@pytest.mark.parametrize(
    ('first', 'verdict'),
    [('refuted', 'refuted with H1'), ('confirmed', 'confirmed'), ('open', 'confirmed')],
)
def test_boxes_of_whole_images_gain_nothing_where_the_first_is_refuted(first, verdict):
    found = Difference(0.3, 0.1, 0.5, judge_hypotheses.SEEDS)
    assert judge_hypotheses.judge(H4, found, {'H1': first}) == verdict


def test_the_thinned_variant_alone_is_compared_on_the_seeds_that_it_shares(study_of):
    runs = study_of('voc/RBC_AP', {'base': [0.5, 0.5, 0.5], 'other': [0.9]})
    runs += study_of('voc/RBC_AP', {'base': [0.5], judge_hypotheses.VARIANT: [0.51, 0.53]})[1:]
    found = judge_hypotheses.difference(runs, 'voc/RBC_AP')
    assert (found.pairs, found.mean) == (2, pytest.approx(2.0))
    assert judge_hypotheses.difference(runs[:4], 'voc/RBC_AP') is None


def test_what_was_left_to_gain_is_of_the_baseline_and_of_mining_by_the_class_of_each_study(
    study_of, monkeypatch
):
    monkeypatch.setattr(judge_hypotheses, 'ROOM', {'AP': 'voc/{}_AP'})
    mined = judge_hypotheses.VARIANT
    records = dict(
        bloodpbc=study_of('voc/RBC_AP', {'base': [0.5, 0.7], mined: [0.51, 0.71]}),
        aquarium=study_of('voc/fish_AP', {'base': [0.2, 0.2], mined: [0.18, 0.18]}),
    )
    line = judge_hypotheses.room_to_gain(records).splitlines()[2]
    assert line == '| AP | 60.0 ± 14.1 | +1.0 [+1.0, +1.0] | 20.0 ± 0.0 | -2.0 [-2.0, -2.0] |'


@pytest.mark.parametrize('number', range(3))
def test_the_table_of_a_document_is_current(number):
    document, name, made = judge_hypotheses.written()[number]
    _, shown, _ = around_table(name, judge_hypotheses.ROOT / document)
    assert shown == made, 'run: python tools/dev/judge_hypotheses.py --render'
