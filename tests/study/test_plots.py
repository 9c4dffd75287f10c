"""The numbers behind every plot, worked by hand, and what is drawn of them."""

from dataclasses import replace

import pytest
from scipy import stats

from mmdet_lrm.study import plots

MAP = 'voc/mAP'
RATIOS = ['0.5', '0.3', '0.1']
BASELINE, MINED, WORSE = [0.1, 0.2, 0.3], [0.11, 0.22, 0.33], [0.05, 0.15, 0.25]


@pytest.fixture
def records(study_of):
    return study_of(MAP, {'baseline': BASELINE, 'mined': MINED})


def lines_of(axes):
    return [([*line.get_xdata()], [*line.get_ydata()]) for line in axes.get_lines()]


# --- differences ----------------------------------------------------------------------------------


def test_differences_are_in_percent_with_their_interval_and_each_seed(records):
    (row,) = plots.difference_rows(records, MAP)
    assert (row.label, row.difference.mean) == ('mined', pytest.approx(2))
    interval = stats.ttest_rel(MINED, BASELINE).confidence_interval()
    assert row.difference[1:3] == pytest.approx((100 * interval.low, 100 * interval.high))
    assert row.by_seed == pytest.approx([1, 2, 3])


def test_metrics_of_kitti_are_in_percent_already(study_of):
    (row,) = plots.difference_rows(study_of('kitti/x', {'a': [10.0], 'b': [12.5]}), 'kitti/x')
    assert (row.difference.mean, row.by_seed) == (2.5, [2.5])


def test_differences_are_drawn_in_the_rows_of_their_names(study_of):
    # Three more seeds of the baseline alone, which are compared with nothing.
    of = {'baseline': [*BASELINE, 0.9], 'hard_ratio=0.05': MINED, 'worse': WORSE}
    figure = plots.draw_differences(study_of(MAP, of), MAP)
    (axes,) = figure.axes
    names = dict(zip(axes.get_yticks(), axes.get_yticklabels(), strict=True))
    assert {place: name.get_text() for place, name in names.items()} == {
        0: 'K\u00a05\u00a0%',
        1: 'worse',
    }
    _, interval, mean, seeds, _, worse, _ = lines_of(axes)
    assert mean == (pytest.approx([2]), [0])
    assert seeds == (pytest.approx([1, 2, 3]), [pytest.approx(plots.BENEATH)] * 3)
    assert worse == (pytest.approx([-5]), [1])
    assert interval[0][0] < 2 < interval[0][1] and interval[1] == [0, 0]
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ['mean and its 95 % interval', 'a seed']
    assert axes.get_xlabel() == 'mAP: difference to the baseline, in percentage points'
    ticks = axes.xaxis.get_major_formatter()
    assert [ticks(value, 0) for value in (-5, 0, 2.5)] == ['-5', '0', '+2.5']


def test_a_single_seed_is_drawn_without_an_interval(study_of):
    figure = plots.draw_differences(study_of(MAP, {'a': [0.1], 'b': [0.2]}), MAP)
    zero, mean, seed = lines_of(figure.axes[0])
    assert (zero[0], mean[0], seed[0]) == ([0, 0], pytest.approx([10]), pytest.approx([10]))


# --- learning -------------------------------------------------------------------------------------


@pytest.fixture
def learned(study_of):
    """Two seeds, of which the second was not evaluated after the first epoch."""
    first = {'epoch': [1, 2, 3], MAP: [0.05, 0.1, 0.2]}
    second = {'epoch': [2, 3], MAP: [0.3, 0.6]}
    losses = {'epoch': [1], 'loss': [3.0]}
    one, other = study_of(MAP, {'a': [0.2, 0.6]})
    return [
        replace(one, evaluations=first, losses=losses),
        replace(other, evaluations=second, losses=losses | {'loss': [5.0]}),
    ]


def test_learning_is_the_mean_over_seeds_and_their_range(learned):
    (curve,) = plots.learning_curves(learned, MAP)
    assert (curve.label, curve.epochs) == ('a', [2, 3])
    assert curve.mean == pytest.approx([20, 40])
    assert (curve.low, curve.high) == (pytest.approx([10, 20]), pytest.approx([30, 60]))
    (loss,) = plots.learning_curves(learned, 'loss')
    assert (loss.epochs, loss.mean) == ([1], pytest.approx([4]))  # a loss is no share


def test_learning_is_drawn_by_loss_and_metric_and_a_single_epoch_is_seen(learned):
    figure = plots.draw_learning(learned, MAP)
    loss, metric = figure.axes
    assert (loss.get_title(), metric.get_title()) == ('loss', 'mAP')
    assert lines_of(loss) == [([1], [4])]
    assert loss.get_lines()[0].get_marker() == 'o'
    assert lines_of(metric) == [([2, 3], pytest.approx([20, 40]))]
    assert metric.yaxis.get_major_formatter()(40, 0) == '40 %'
    # Its range over the seeds, where there is no band; the axis begins at the first epoch.
    (single,) = loss.collections[0].get_segments()
    assert single.tolist() == [[1, 3], [1, 5]]
    assert (loss.get_xlim(), metric.get_xlim()) == ((0.5, 1.5), (0.5, 3.5))
    assert [tick for tick in loss.get_xticks() if 0.5 <= tick <= 1.5] == [1]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['a']


def test_without_recorded_losses_the_metric_is_drawn_alone(learned):
    (axes,) = plots.draw_learning([replace(one, losses={}) for one in learned], MAP).axes
    assert axes.get_title() == 'mAP'


# --- who carries the gradient ---------------------------------------------------------------------


def diagnosis(**easy):
    """By K, spelt ``K05``, the easy negatives at two iterations; a quarter of the rest is hard."""
    columns = {'iter': [1, 21]}
    for name, values in easy.items():
        ratio = f'0.{name[2:]}'
        columns[f'{ratio}/gradient/easy'] = values
        columns[f'{ratio}/gradient/hard'] = [(1 - value) / 4 for value in values]
        columns[f'{ratio}/gradient/positives'] = [3 * (1 - value) / 4 for value in values]
        columns[f'{ratio}/missed'] = [0.0, None]
    return columns


@pytest.fixture
def diagnosed(records):
    """The baseline's seeds, and the first of the mined ones."""
    first, mined, second, *_ = records
    return [
        replace(first, diagnosis=diagnosis(K05=[0.5, 0.4], K03=[0.6, 0.2], K01=[0.9, 0.8])),
        replace(mined, diagnosis=diagnosis(K05=[0.1, 0.1], K03=[0.2, 0.1])),
        replace(second, diagnosis=diagnosis(K05=[0.0, 0.0], K03=[0.0, 0.0], K01=[0.0, 0.0])),
    ]


def test_a_diagnosis_is_that_of_each_methods_first_training_in_percent(diagnosed):
    baseline, mined = plots.first_diagnoses(diagnosed)
    assert (baseline.label, baseline.steps, baseline.ratios) == ('baseline', [1, 21], RATIOS)
    assert baseline.columns['0.3/gradient/positives'] == pytest.approx([30, 60])
    assert baseline.columns['0.1/gradient/easy'] == pytest.approx([90, 80])
    assert baseline.columns['0.1/missed'] == pytest.approx([0, float('nan')], nan_ok=True)
    assert (mined.label, mined.ratios) == ('mined', ['0.5', '0.3'])


def test_hard_is_told_from_easy_by_the_k_nearest_to_a_quarter():
    assert plots.nearest_to_quarter(['0.5', '0.3', '0.1']) == '0.3'
    assert plots.nearest_to_quarter(['0.02', '0.2', '1.0']) == '0.2'


def test_the_diagnosis_is_drawn_with_the_names_of_its_areas_and_lines(diagnosed):
    figure = plots.draw_diagnosis(diagnosed, MAP)
    left, right = figure.axes
    assert left.get_title(loc='left') == 'baseline'
    areas = dict(zip(left.get_legend_handles_labels()[1], left.collections, strict=True))
    top = {name: area.get_datalim(left.transData).y1 for name, area in areas.items()}
    # Stacked: positives to 60, with the hard negatives to 80, and all to 100.
    assert top == pytest.approx(
        {'objects': 60, 'background, hardest 30 %': 80, 'easy background': 100}
    )
    by_name = {line.get_label(): [*line.get_ydata()] for line in right.get_lines()}
    assert left.get_ylabel() == 'share of the gradient'
    assert by_name['K = 50 %'] == pytest.approx([50, 40])
    assert by_name['K = 10 %'] == pytest.approx([90, 80])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    ratios = ['K = 50 %', 'K = 30 %', 'K = 10 %']
    assert texts == [*areas, *ratios, 'of the gradient', 'of the positives']


def test_what_mining_takes_out_is_solid_and_the_positives_among_it_dashed(diagnosed):
    figure = plots.draw_diagnosis(diagnosed, MAP)
    drawn = {'-': [], '--': []}
    for line in figure.axes[1].get_lines():
        drawn[line.get_linestyle()].append([*line.get_ydata()])
    assert drawn['-'] == [pytest.approx(each) for each in ([50, 40], [60, 20], [90, 80])]
    assert drawn['--'] == [pytest.approx([0, float('nan')], nan_ok=True)] * 3
    legend = figure.legends[0]
    styles = {
        text.get_text(): line.get_linestyle()
        for text, line in zip(legend.get_texts()[-2:], legend.get_lines()[-2:], strict=True)
    }
    assert styles == {'of the gradient': '-', 'of the positives': '--'}


def test_the_background_is_that_outside_the_smallest_k_of_all_methods(diagnosed):
    (axes,) = plots.draw_background(diagnosed, MAP).axes
    drawn = {line.get_label(): [*line.get_ydata()] for line in axes.get_lines()}
    assert drawn == {'baseline': pytest.approx([60, 20]), 'mined': pytest.approx([20, 10])}
    assert axes.get_ylabel().endswith('K = 30 %')  # 10 % was diagnosed in one alone
    assert axes.yaxis.get_major_formatter()(60, 0) == '60 %'


def test_what_a_training_left_out_itself_is_drawn_beside_it(diagnosed):
    first, mined, _ = diagnosed
    own = {'own/gradient/easy': [0.3, 0.2], 'own/missed': [0.0, 0.0]}
    mined = replace(mined, diagnosis=mined.diagnosis | own)
    (axes,) = plots.draw_background([first, mined], MAP).axes
    _, line, beside = axes.get_lines()
    assert beside.get_label() == 'mined: what it leaves out'
    assert [*beside.get_ydata()] == pytest.approx([30, 20])
    assert beside.get_color() == line.get_color() and beside.get_linestyle() == '--'
    assert plots.first_diagnoses([mined])[0].ratios == ['0.5', '0.3']


@pytest.mark.parametrize('draw', [plots.draw_diagnosis, plots.draw_background])
def test_a_single_measurement_is_seen(draw, diagnosed):
    one = {key: values[:1] for key, values in diagnosed[0].diagnosis.items()}
    figure = draw([replace(diagnosed[0], diagnosis=one)], MAP)
    assert all(line.get_marker() == 'o' for line in figure.axes[-1].get_lines())
    assert figure.axes[-1].get_lines() and figure.axes[0].get_xlim()[1] > 1


# --- errors ---------------------------------------------------------------------------------------


@pytest.fixture
def judged(records):
    """Of two methods errors of two kinds; one class has crowds, the other none."""
    return [
        replace(
            record,
            errors={
                'score': 0.3,
                'count/duplicate': 0.1 * record.seed,
                'count/missed': 0.2 if record.label == 'mined' else 0.4,
                'gain/duplicate': 0.01,
                'gain/missed': 0.02 + 0.01 * record.seed,
                'crowd/cell/0': 0.9,
                'share/cell/0': 0.75,
                'crowd/cell/1': 0.5 + 0.1 * record.seed,
                'share/cell/1': 0.25,
                'crowd/cell/3': 1.0,  # of an object or two
                'share/cell/3': 0.001,
                'crowd/rare/0': 0.3,
                'share/rare/0': 1.0,
            },
        )
        for record in records
    ]


def test_errors_are_drawn_in_percent_with_the_mean_and_each_seed(judged):
    counts, gains = plots.draw_errors(judged, MAP).axes
    (means, first, second, others, *_) = lines_of(counts)
    assert means == (pytest.approx([10, 40]), [-0.3, 0.7])
    assert (first, second) == (
        (pytest.approx([0, 10, 20]), [-0.3] * 3),
        (pytest.approx([40] * 3), [0.7] * 3),
    )
    assert others == (pytest.approx([10, 20]), [0.3, 1.3])
    assert lines_of(gains)[0] == (pytest.approx([1, 3]), [-0.3, 0.7])
    assert [text.get_text() for text in counts.get_yticklabels()] == ['duplicate', 'missed']


def test_crowds_are_those_of_the_class_with_most_neighbours_or_of_the_metric(judged):
    shares, (baseline, _) = plots.crowd_curves(judged, plots.crowded_class(judged, MAP))
    assert shares == [75, 25]
    assert baseline.epochs == [0, 1]
    for values, right in zip(baseline[2:], ([90, 60], [90, 50], [90, 70]), strict=True):
        assert values.tolist() == pytest.approx(right)
    (axes,) = plots.draw_crowds(judged, MAP).axes
    assert axes.get_title() == 'AP of cell'
    assert plots.crowded_class(judged, 'voc/rare_AP') == 'rare'
    assert [text.get_text() for text in axes.get_xticklabels()] == ['0\n(75 %)', '1\n(25 %)']


def test_a_group_of_neighbours_that_one_record_lacks_is_not_drawn(judged):
    first, *others = judged
    lacking = {name: value for name, value in first.errors.items() if not name.endswith('cell/1')}
    shares, (baseline, _) = plots.crowd_curves([*others, replace(first, errors=lacking)], 'cell')
    assert (shares, baseline.epochs) == ([75], [0])


# --- all ------------------------------------------------------------------------------------------


@pytest.mark.parametrize('kind', plots.KINDS)
def test_what_has_nothing_to_show_is_not_drawn(kind, study_of):
    assert plots.KINDS[kind](study_of(MAP, {'a': [0.1]}), MAP) is None


@pytest.mark.parametrize('kind', plots.KINDS)
def test_legends_cover_nothing_and_files_are_the_same_each_time(kind, diagnosed, learned, judged):
    of = dict(learning=learned, errors=judged, crowds=judged)
    records = of.get(kind, diagnosed)
    figure = plots.KINDS[kind](records, MAP)
    content = plots.png(figure)
    assert content == plots.png(plots.KINDS[kind](records, MAP))
    (legend,) = figure.legends
    others = [*figure.axes, *figure.texts]  # a label of the whole figure is a text of it
    covered = legend.get_window_extent()
    assert not any(covered.overlaps(each.get_tightbbox()) for each in others)
