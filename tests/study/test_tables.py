"""Tables of hand-made records."""

from dataclasses import replace

import pytest

from mmdet_lrm.study import tables

AP, MAP = 'kitti/moderate_AP40', 'voc/mAP'
TABLE = """\
| method | seeds | AP | mAP | AP: difference | minutes |
| --- | ---: | ---: | ---: | ---: | ---: |
| [yolov2-tiny_kitti](x/yolov2-tiny_kitti.py) | 2 | 15.0 ± 7.1 | 15.0 ± 7.1 |  | 2 |
| mined | 2 | 17.0 ± 8.5 | 17.0 ± 8.5 | +2.0 [-10.7, +14.7] | 2 |
"""


@pytest.fixture
def records(study_of):
    found = study_of(AP, {'yolov2-tiny_kitti': [10.0, 20.0], 'mined': [11.0, 23.0]}, minutes=2.0)
    return [
        replace(one, metrics={AP: one.metrics[AP], MAP: one.metrics[AP] / 100}) for one in found
    ]


def test_a_table_has_means_deviations_and_the_paired_difference(records):
    # Differences 1 and 3: mean 2, error 1, times 12.706, Student's t of 1 degree of freedom.
    # KITTI's metrics are in percent as they come, MMDetection's are shares.
    assert tables.markdown(records, {'AP': AP, 'mAP': MAP}, 'x/') == TABLE


def test_the_difference_is_that_of_the_first_column(study_of):
    found = study_of(AP, {'a': [10.0, 20.0], 'b': [11.0, 23.0]})
    found = [replace(one, metrics=one.metrics | {MAP: 0.5}) for one in found]
    assert '+0.0 [+0.0, +0.0]' in tables.markdown(found, {'mAP': MAP, 'AP': AP})
    assert '+2.0 [-10.7, +14.7]' in tables.markdown(found, {'AP': AP, 'mAP': MAP})


def test_a_single_seed_is_called_one_in_the_place_of_an_interval(study_of):
    table = tables.markdown(study_of(AP, {'a': [10.0], 'b': [12.5]}), {'AP': AP})
    assert table.splitlines()[3] == '| b | 1 | 12.5 | +2.5, one seed |'


def test_a_variant_is_compared_on_the_seeds_that_it_shares_with_its_baseline(study_of):
    found = study_of(AP, {'a': [10.0, 20.0, 90.0], 'b': [11.0, 23.0], 'c': [10.0, 20.0, 93.0]})
    changes = tables.differences(tables.by_label(found), AP)
    of = {label: (change.mean, change.pairs) for label, change in changes.items()}
    assert of == {'b': (2.0, 2), 'c': (1.0, 3)}


def test_a_metric_that_is_not_defined_is_no_number(study_of):
    found = study_of(AP, {'a': [10.0], 'b': [None]})
    assert '| b | 1 | – | – |' in tables.markdown(found, {'AP': AP})
    found = study_of(AP, {'a': [10.0, 20.0, 30.0], 'b': [11.0, None, 32.0]})
    assert tables.markdown(found, {'AP': AP}).splitlines()[3].startswith('| b | 3 | – | +1.5 [')


def test_the_minutes_are_the_mean_of_the_runs_that_were_timed(study_of):
    found = study_of(AP, {'a': [1.0, 2.0, 3.0], 'b': [1.0]})
    minutes = {('a', 0): 10.0, ('a', 1): 30.0, ('a', 2): None, ('b', 0): None}
    found = [replace(each, minutes=minutes[each.label, each.seed]) for each in found]
    lines = tables.markdown(found, {'AP': AP}).splitlines()
    assert [line.split(' | ')[-1] for line in lines[2:]] == ['20 |', ' |']


def test_a_metric_that_was_not_recorded_is_named(study_of):
    with pytest.raises(tables.ReportError, match=f"'a' have no metric 'voc/mAP', but {AP}"):
        tables.markdown(study_of(AP, {'a': [10.0]}), {'mAP': MAP})


def test_baselines_alone_have_no_differences(records):
    lines = tables.markdown(records[:1], {'AP': MAP}).splitlines()
    assert lines[0] == '| method | seeds | AP | minutes |'
    assert lines[2] == '| yolov2-tiny_kitti | 1 | 10.0 | 2 |'


def test_methods_without_a_common_seed_are_not_compared(records):
    with pytest.raises(tables.ReportError, match=r'yolov2-tiny_kitti: \[0\], mined: \[1\]'):
        tables.markdown([records[0], records[3]], {'AP': MAP})


def test_the_rows_for_a_spreadsheet(records):
    lines = tables.comma_separated(records[:2]).splitlines()
    assert lines[0] == f'label,config,seed,minutes,{AP},{MAP}'
    assert lines[2] == 'mined,yolov2-tiny_kitti,0,2.0,11.0,0.11'


@pytest.mark.parametrize(
    ('number', 'text'),
    [(165012.4, '165,012'), (99.96, '100'), (3.14159, '3.14'), (0.0344, '0.0344')],
)
def test_a_number_has_three_digits_or_all_before_the_point(number, text):
    assert tables.short(number) == text
