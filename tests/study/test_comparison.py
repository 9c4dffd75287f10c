"""Statistics, fairness and tables on hand-worked numbers."""

from pathlib import Path

import pytest
from matplotlib import pyplot
from mmengine.config import Config

from mmdet_lrm.study import tables
from mmdet_lrm.study.fairness import UnfairError, check_fair, differences, initial_weights
from mmdet_lrm.study.plots import KINDS

CONFIGS = Path(__file__).parents[2] / 'configs'


def test_differences_name_keys_as_options_do():
    first = dict(a=dict(b=[1, dict(c=2)], d=3), e=[1])
    second = dict(a=dict(b=[1, dict(c=5)]), e=[1, 2])
    assert list(differences(first, second)) == [
        ('a.b.1.c', 2, 5),
        ('a.d', 3, '<absent>'),
        ('e', [1], [1, 2]),
    ]


def test_what_the_table_does_not_name_may_not_differ():
    baseline = Config.fromfile(CONFIGS / 'yolov2-tiny_bccd.py')
    mined = Config.fromfile(CONFIGS / 'yolov2-tiny_lrm_bccd.py')
    named = ['model.bbox_head.lrm']
    changes = check_fair('mined', mined, baseline, named)
    assert changes == {'model.bbox_head.lrm': dict(type='LRMLoss', hard_ratio=0.25)}
    mined.optim_wrapper.optimizer.lr = 0.5
    with pytest.raises(UnfairError, match=r'optim_wrapper\.optimizer\.lr: .* 0\.5 here'):
        check_fair('mined', mined, baseline, named)
    # A key that only begins like a named one is another key.
    mined = Config.fromfile(CONFIGS / 'yolov2-tiny_bccd.py')
    mined.model.bbox_head.lrm_too = 1
    with pytest.raises(UnfairError, match='lrm_too'):
        check_fair('mined', mined, baseline, named)


def test_first_weights_depend_on_the_seed_and_not_on_the_mining():
    baseline = Config.fromfile(CONFIGS / 'yolov2-tiny_bccd.py')
    mined = Config.fromfile(CONFIGS / 'yolov2-tiny_lrm_bccd.py')
    assert initial_weights(baseline) == initial_weights(mined)
    mined.randomness.seed = 1
    assert initial_weights(baseline) != initial_weights(mined)


def record(label, seed, value, **more):
    baseline = None if label == 'yolov2-tiny_kitti' else 'yolov2-tiny_kitti'
    metrics = {'kitti/moderate_AP40': value, 'voc/mAP': value / 100}
    own = dict(label=label, baseline=baseline, config='yolov2-tiny_kitti', seed=seed)
    return own | dict(metrics=metrics, minutes=2.0) | more


RECORDS = [
    record('yolov2-tiny_kitti', 0, 10.0),
    record('mined', 0, 11.0),
    record('yolov2-tiny_kitti', 1, 20.0),
    record('mined', 1, 23.0),
]
TABLE = """\
| method | seeds | AP | mAP | AP: difference | minutes |
| --- | ---: | ---: | ---: | ---: | ---: |
| [yolov2-tiny_kitti](x/yolov2-tiny_kitti.py) | 2 | 15.0 ± 7.1 | 15.0 ± 7.1 |  | 2 |
| mined | 2 | 17.0 ± 8.5 | 17.0 ± 8.5 | +2.0 [-10.7, +14.7] | 2 |
"""


def test_a_table_has_means_deviations_and_the_paired_difference():
    columns = {'AP': 'kitti/moderate_AP40', 'mAP': 'voc/mAP'}
    assert tables.markdown(RECORDS, columns, 'x/') == TABLE


def test_a_single_seed_takes_its_interval_from_the_images():
    boots = dict(bootstrap={'kitti/moderate_AP40': [1.0, 2.0]})
    more = dict(bootstrap={'kitti/moderate_AP40': [3.0, 4.0]})
    records = [record('yolov2-tiny_kitti', 0, 10.0, **boots), record('mined', 0, 12.5, **more)]
    table = tables.markdown(records, {'AP': 'kitti/moderate_AP40'})
    assert '| mined | 1 | 12.5 | +2.5 [+2.0, +2.0] over images | 2 |' in table
    assert '| mined | 1 | 12.5 | +2.5 | 2 |' in tables.markdown(
        [RECORDS[0], record('mined', 0, 12.5)], {'AP': 'kitti/moderate_AP40'}
    )


def test_baselines_alone_have_no_differences():
    lines = tables.markdown([RECORDS[0]], {'AP': 'voc/mAP'}).splitlines()
    assert lines[0] == '| method | seeds | AP | minutes |'
    assert lines[2] == '| yolov2-tiny_kitti | 1 | 10.0 | 2 |'


def test_methods_without_a_common_seed_are_not_compared():
    with pytest.raises(ValueError, match=r'yolov2-tiny_kitti: \[0\], mined: \[1\]'):
        tables.markdown([RECORDS[0], RECORDS[3]], {'AP': 'voc/mAP'})


def test_the_rows_for_a_spreadsheet():
    lines = tables.comma_separated(RECORDS[:2]).splitlines()
    assert lines[0] == 'label,config,seed,minutes,kitti/moderate_AP40,voc/mAP'
    assert lines[2] == 'mined,yolov2-tiny_kitti,0,2.0,11.0,0.11'


def test_a_document_gets_its_tables_anew(tmp_path):
    import json

    (tmp_path / 'r.json').write_text(json.dumps(RECORDS))
    text = (
        'before\n<!-- table of r.json: AP = kitti/moderate_AP40 -->\n{}<!-- end of table -->\nafter'
    )
    rendered = tables.render(text.format('old\n'), tmp_path / 'README.md', tmp_path)
    table = tables.markdown(RECORDS, {'AP': 'kitti/moderate_AP40'}, 'configs/')
    assert rendered == text.format(table)
    assert tables.render(rendered, tmp_path / 'README.md', tmp_path) == rendered


ROWS = dict(
    evaluations=[{'epoch': 1, 'voc/mAP': 0.1}, {'epoch': 2, 'voc/mAP': 0.2}],
    losses=[dict(epoch=1, loss=3.0)],
    curves=dict(a=[1.0, 0.5]),
    diagnosis={'iter': [1, 2], '0.25/missed': [0.0, None]}
    | {f'0.25/gradient/{name}': [0.3, 0.4] for name in ('positives', 'hard', 'easy')},
)


def test_pictures_are_drawn(tmp_path):
    records = [each | ROWS for each in RECORDS]
    for kind, draw in KINDS.items():
        draw(records, 'voc/mAP', tmp_path / f'{kind}.png')
        assert (tmp_path / f'{kind}.png').stat().st_size > 5000, kind


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Draws a kind of picture, for its lines by label: pairs of x and y."""
    figures = []
    monkeypatch.setattr(pyplot, 'close', figures.append)

    def lines(kind, records):
        KINDS[kind](records, 'voc/mAP', tmp_path / 'drawn.png')
        found = figures.pop().axes[-1].get_lines()
        return [(line.get_label(), [*line.get_xdata()], [*line.get_ydata()]) for line in found]

    yield lines
    monkeypatch.undo()
    pyplot.close('all')


def test_the_picture_of_differences_shows_interval_seeds_and_mean(drawn):
    interval, seeds, mean, zero = [xs for _, xs, _ in drawn('differences', RECORDS)]
    assert interval == pytest.approx([-10.7, 14.7], abs=0.05)  # the table's, above
    assert (seeds, mean, zero) == (pytest.approx([1, 3]), pytest.approx([2]), [0, 0])


def test_the_picture_of_learning_is_the_mean_over_seeds(drawn):
    second = ROWS | dict(evaluations=[{'epoch': 1, 'voc/mAP': 0.3}, {'epoch': 2, 'voc/mAP': 0.4}])
    records = [RECORDS[0] | ROWS, RECORDS[2] | second]
    ((label, epochs, values),) = drawn('learning', records)
    assert (label, epochs) == ('yolov2-tiny_kitti', [1, 2])
    assert values == pytest.approx([20, 30])


def test_the_picture_of_the_background_is_of_each_methods_first_training_and_smallest_k(drawn):
    def diagnosis(*easy):
        return dict(
            diagnosis={
                'iter': [1, 21],
                '0.25/gradient/easy': [0.9, 0.9],
                '0.1/gradient/easy': [*easy],
                '0.1/missed': [0.0, 0.0],
            }
        )

    first, second = diagnosis(0.2, 0.1), diagnosis(0.5, 0.5)
    baseline, mined = RECORDS[:2]
    shown = drawn('background', [baseline | first, mined | second, baseline | second])
    assert shown == [
        ('yolov2-tiny_kitti', [1, 21], pytest.approx([20, 10])),
        ('mined', [1, 21], pytest.approx([50, 50])),
    ]
