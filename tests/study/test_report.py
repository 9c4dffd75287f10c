"""What is recommended, on differences whose intervals scipy gives."""

from dataclasses import replace

import pytest
from scipy import stats

from mmdet_lrm.study import report, tables
from mmdet_lrm.study.report import Verdict

AP = 'kitti/moderate_AP40'
BASELINE = [10.0, 20.0, 30.0]


def shifted(*differences):
    return [value + each for value, each in zip(BASELINE, differences, strict=True)]


def students(values, confidence):
    return stats.ttest_rel(values, BASELINE).confidence_interval(confidence)


def test_a_gain_beyond_chance_is_recommended(study_of):
    mined = shifted(1.9, 2, 2.1)
    found = report.recommendation(study_of(AP, {'a': BASELINE, 'mined': mined}), AP)
    assert (found.variant, found.comparisons, found.verdict) == ('mined', 1, Verdict.GAIN)
    assert found.difference.mean == pytest.approx(2)
    assert found.difference[1:3] == pytest.approx(students(mined, 0.95))
    assert str(found) == f'Best of 1 in {AP}: mined, +2.0 [+1.8, +2.2]. Recommended.'


def test_a_gain_within_chance_is_not_recommended(study_of):
    # Mean 2, deviation 1, three seeds: 2 +- 4.303 / sqrt(3).
    found = report.recommendation(study_of(AP, {'a': BASELINE, 'mined': shifted(1, 2, 3)}), AP)
    assert found.verdict is Verdict.CHANCE
    assert str(found) == (
        f'Best of 1 in {AP}: mined, +2.0 [-0.5, +4.5]. That is not more than chance gives: keep '
        'the baseline, or take more seeds if a gain of 4.5 would matter to you.'
    )


def test_where_nothing_was_learned_nothing_is_recommended(study_of):
    little, less = [0.9, 1.0, 1.0], [0.1, 0.1, 0.1]
    found = report.recommendation(study_of(AP, {'a': less, 'mined': little}), AP)
    assert found.verdict is Verdict.NOTHING
    assert str(found).startswith(f'Nothing was learned: in {AP} no method reaches 1 %')
    assert 'ecommended' not in str(found)
    learned = report.recommendation(study_of(AP, {'a': less, 'mined': [0.9, 1.0, 1.1]}), AP)
    assert learned.verdict is not Verdict.NOTHING


def test_where_the_gradient_was_measured_alone_its_shares_are_shown_and_nothing_recommended(
    study_of,
):
    share = 'end/0.25/gradient/easy'
    records = study_of(share, {'a': [0.1, 0.2], 'mined': [0.6, 0.7]})
    assert report.recommendation(records, share)
    drift = [replace(record, diagnosis={'iter': [1]}) for record in records]
    assert report.recommendation(drift, share) is None
    assert report.columns(drift) == {'easy (last)': share}


def test_the_interval_is_widened_for_all_that_is_compared(study_of):
    # Mean 2, error 0.375: 5.3 errors from 0, between Student's 4.3 of 95 % and 6.2 of 97.5 %.
    mined = shifted(1.35, 2, 2.65)
    alone = study_of(AP, {'a': BASELINE, 'mined': mined})
    other = study_of(AP, {'b': BASELINE, 'other': shifted(-1, 0, 1)})
    assert report.recommendation(alone, AP).verdict is Verdict.GAIN
    found = report.recommendation(alone + other, AP)
    assert (found.variant, found.comparisons, found.verdict) == ('mined', 2, Verdict.CHANCE)
    assert found.difference[1:3] == pytest.approx(students(mined, 0.975))
    assert '(interval widened for 2 comparisons). That is not more' in str(found)


def test_of_several_variants_the_best_is_meant(study_of):
    of = {'a': BASELINE, 'worst': shifted(-5, -5, -5), 'best': shifted(3, 3, 3)}
    of['between'] = shifted(1, 1, 1)
    assert report.recommendation(study_of(AP, of), AP).variant == 'best'
    reverse = dict(a=BASELINE) | dict(reversed(list(of.items())[1:]))
    assert report.recommendation(study_of(AP, reverse), AP).variant == 'best'


def test_a_loss_is_not_recommended_however_certain(study_of):
    records = study_of(AP, {'a': BASELINE, 'mined': shifted(-1.9, -2, -2.1)})
    found = report.recommendation(records, AP)
    assert found.verdict is Verdict.LOSS
    assert str(found).endswith('mined, -2.0 [-2.2, -1.8]. Nothing gains: keep the baseline.')


def test_one_seed_recommends_nothing(study_of):
    found = report.recommendation(study_of(AP, {'a': [10.0], 'mined': [15.0]}), AP)
    assert found.verdict is Verdict.ONE_SEED
    assert str(found).endswith(
        'mined, +5.0, one seed. One seed gives no interval: take more before you choose.'
    )


def test_a_variant_whose_metric_is_not_defined_is_never_the_best(study_of):
    of = {'a': [10.0, 20.0], 'undefined': [None, None], 'mined': [9.0, 19.0]}
    assert report.recommendation(study_of(AP, of), AP).variant == 'mined'
    del of['mined']
    assert report.recommendation(study_of(AP, of), AP).verdict is not Verdict.GAIN


def test_without_variants_there_is_nothing_to_recommend(study_of):
    assert report.recommendation(study_of(AP, {'a': BASELINE}), AP) is None


@pytest.mark.parametrize(
    ('metrics', 'columns'),
    [
        (
            {'kitti/Car_moderate_AP40': 1, AP: 1, 'kitti/moderate_AP11': 1},
            {'mean AP40': AP, 'Car': 'kitti/Car_moderate_AP40'},
        ),
        ({'voc/AP50': 1, 'voc/mAP': 1, 'voc/RBC_AP': 1}, {'mAP': 'voc/mAP', 'RBC': 'voc/RBC_AP'}),
        (
            {'coco/bbox_mAP_50': 1, 'coco/bbox_mAP': 1},
            {'AP': 'coco/bbox_mAP', 'AP50': 'coco/bbox_mAP_50'},
        ),
        ({'my/score': 1, 'my/other': 1}, {'my/score': 'my/score'}),
    ],
)
def test_columns_are_the_evaluators_metrics_the_deciding_one_first(study_of, metrics, columns):
    (record,) = study_of(AP, {'a': [1.0]})
    assert list(report.columns([replace(record, metrics=metrics)]).items()) == list(columns.items())


def test_the_metric_of_the_study_decides(study_of, tmp_path):
    of = {'a': BASELINE, 'x': shifted(1, 2, 3), 'y': shifted(-1, -2, -3)}
    records = study_of('voc/mAP', of, metric='voc/RBC_AP')
    records = [
        replace(each, metrics=each.metrics | {'voc/RBC_AP': 100 - each.metrics['voc/mAP']})
        for each in records
    ]
    assert [*report.columns(records).items()] == [('RBC', 'voc/RBC_AP'), ('mAP', 'voc/mAP')]
    text = report.write(records, tmp_path, [])
    assert 'in voc/RBC_AP: y, ' in text and '| RBC | mAP | RBC: difference |' in text
    alone = [replace(each, metrics={'my/a': 1.0, 'my/b': 2.0}, metric='my/b') for each in records]
    assert [*report.columns(alone)] == ['my/b', 'my/a']
    unknown = [replace(each, metric='voc/Car_AP') for each in records]
    with pytest.raises(tables.ReportError, match=r"'voc/Car_AP', and what .* voc/mAP, voc/R"):
        report.columns(unknown)


def test_a_report_writes_tables_and_what_can_be_drawn(study_of, tmp_path):
    records = study_of(AP, {'a': BASELINE, 'mined': shifted(1, 2, 3)})
    text = report.write(records, tmp_path / 'new', ['model.bbox_head.lrm'])
    names = sorted(file.name for file in (tmp_path / 'new').iterdir())
    assert names == ['differences.png', 'records.json', 'table.csv', 'table.md']
    table = tables.markdown(records, {'mean AP40': AP})
    assert (tmp_path / 'new/table.md').read_text() == table
    best = report.recommendation(records, AP)
    assert text.endswith(f'Compared: model.bbox_head.lrm.\n\n{table}\n{best}\n')


def test_a_report_of_baselines_is_a_table(study_of, tmp_path):
    names = ('gradient/positives', 'gradient/hard', 'gradient/easy', 'missed')
    diagnosis = {'iter': [1]} | {f'0.25/{name}': [0.1] for name in names}
    records = study_of(AP, {'a': [1.0]}, diagnosis=diagnosis)
    assert report.write(records, tmp_path, []).endswith('| a | 1 | 1.0 |\n')
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ['background.png', 'diagnosis.png', 'records.json', 'table.csv', 'table.md']
