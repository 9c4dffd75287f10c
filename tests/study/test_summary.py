"""The differences of all studies, in a table and in a forest plot."""

from dataclasses import replace

import pytest

from mmdet_lrm.study import summary
from mmdet_lrm.study.report import Verdict
from mmdet_lrm.study.tables import interval

MAP = 'voc/mAP'
BASELINE = [0.1, 0.2, 0.3]


def shifted(*points):
    return [value + each / 100 for value, each in zip(BASELINE, points, strict=True)]


@pytest.fixture
def cells(study_of):
    """Two variants: the first gains for certain, of the second nothing is."""
    of = {'base': BASELINE, 'gain': shifted(3.9, 4, 4.1), 'chance': shifted(-0.1, 0, 0.1)}
    found = study_of(MAP, of, epochs=8, images='CELLS: train.txt, val.txt')
    return [replace(record, config='yolov3-tiny_bccd') for record in found]


def test_a_small_study_tells_all_its_variants(cells):
    gain, chance = summary.gains('small', cells)
    assert (gain.study, gain.detector, gain.data) == ('small', 'yolov3-tiny', 'CELLS')
    assert (gain.variant, gain.seeds, gain.epochs, gain.metric) == ('gain', 3, 8, MAP)
    assert gain.baseline == '20.0 ± 10.0'
    assert gain.difference.mean == pytest.approx(4)
    assert (gain.verdict, chance.verdict) == (Verdict.GAIN, Verdict.CHANCE)


def test_chance_is_judged_by_the_interval_that_is_widened_for_all_variants(study_of):
    # 5.3 errors from 0, between Student's 4.3 of 95 % and 6.2 of 97.5 %.
    alone = study_of(MAP, {'a': BASELINE, 'mined': shifted(1.35, 2, 2.65)})
    other = study_of(MAP, {'b': BASELINE, 'other': shifted(-1, 0, 1)})
    assert [gain.verdict for gain in summary.gains('one', alone)] == [Verdict.GAIN]
    (mined, _) = summary.gains('two', alone + other)
    assert mined.verdict is Verdict.CHANCE
    assert mined.difference.low > 0  # what is shown is the interval of 95 % itself


def test_a_large_study_tells_its_main_variants_and_the_best(study_of):
    of = {'base': [0.1], 'one': [0.2], 'two': [0.3], 'best': [0.9], 'four': [0.4], 'five': [0.1]}
    records = study_of(MAP, of)
    told = [gain.variant for gain in summary.gains('large', records, main=['five', 'two'])]
    assert told == ['two', 'best', 'five']
    assert [gain.variant for gain in summary.gains('large', records)] == ['best']


def test_up_to_four_variants_are_told_all(study_of):
    of = {'base': [0.1]} | {name: [0.2] for name in 'abcde'}
    for number, told in ((4, ['a', 'b', 'c', 'd']), (5, ['a'])):
        records = study_of(MAP, dict(list(of.items())[: number + 1]))
        assert [gain.variant for gain in summary.gains('study', records)] == told


def test_a_variant_without_a_value_is_not_the_best(study_of):
    of = {'base': [0.1], 'none': [None], 'a': [0.2], 'best': [0.3], 'b': [0.25], 'c': [0.15]}
    assert [gain.variant for gain in summary.gains('large', study_of(MAP, of))] == ['best']


def test_seeds_are_those_that_variant_and_baseline_have_both(study_of):
    of = {'base': BASELINE, 'more': [*shifted(1, 2, 3), 0.9], 'fewer': shifted(1, 2, 3)[:2]}
    assert [gain.seeds for gain in summary.gains('study', study_of(MAP, of))] == [3, 2]


def test_a_study_is_judged_by_its_own_metric(cells):
    cells = [replace(each, metrics=each.metrics | {'voc/RBC_AP': 0.5}) for each in cells]
    assert [each.difference.mean for each in summary.gains('own', cells, 'voc/RBC_AP')] == [0, 0]


def test_a_study_without_variants_gains_nothing(study_of):
    assert summary.gains('alone', study_of(MAP, {'a': [0.1]})) == []


def test_the_table_is_by_data_and_detector(cells, study_of):
    roads = study_of('kitti/moderate_AP40', {'a': [10.0], 'b': [8.0]}, epochs=6)
    (gain, _) = summary.gains('cells', cells)
    found = [*summary.gains('roads', roads), gain, *summary.gains('roads two', roads)]
    lines = summary.markdown(found).splitlines()
    assert lines[0] == (
        '| study | detector | data | variant | seeds | epochs | metric | baseline | difference '
        '| verdict |'
    )
    assert lines[2] == (
        '| roads | yolov2-tiny | KITTI | b | 1 | 6 | kitti/moderate_AP40 | 10.0 | -2.0, one seed '
        '| one seed |'
    )
    assert [line.split(' | ')[0] for line in lines[2:]] == ['| roads', '| roads two', '| cells']
    assert lines[4].endswith(f'| {interval(gain.difference)} | gain beyond chance |')


def test_the_plot_has_each_gain_in_the_row_of_its_name(cells, study_of):
    roads = study_of('kitti/moderate_AP40', {'a': [10.0], 'b': [8.0]}, epochs=6)
    found = summary.gains('cells', cells) + summary.gains('roads', roads)
    figure = summary.draw(found)
    upper, lower = figure.axes
    assert (upper.get_title(), lower.get_title()) == ('CELLS, mAP', 'KITTI, moderate\u00a0AP40')
    assert [each.get_text() for each in upper.get_yticklabels()] == ['cells: gain', 'cells: chance']
    gain, chance = upper.get_yticks()
    means = {
        line.get_ydata()[0]: (line.get_xdata()[0], line.get_color())
        for line in upper.get_lines()
        if len(line.get_xdata()) == 1
    }
    assert means[gain] == (pytest.approx(4), summary.BLUE)
    assert means[chance] == (pytest.approx(0), summary.GREY)
    texts = {text.get_position()[1]: text.get_text() for text in upper.texts}
    assert texts[gain] == f'{interval(found[0].difference)}, 3 seeds, 8 epochs'
    assert lower.get_lines()[0].get_marker() == 'x'
    assert lower.texts[1].get_text() == '-2.0, one seed, 6 epochs'
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ['gain beyond chance', 'loss beyond chance', 'within chance', 'one seed']


def test_shares_of_the_gradient_are_no_gain(study_of):
    records = study_of('end/0.25/gradient/easy', {'base': [0.1, 0.2], 'mined': [0.6, 0.7]})
    assert summary.gains('evaluated', records)
    drift = [replace(record, diagnosis={'iter': [1]}) for record in records]
    assert summary.gains('drift', drift) == []
