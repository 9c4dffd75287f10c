"""What tools/runs.py reads from the logs of a training, and how it finds a training again."""

import json

from mmengine.config import Config

from mmdet_lrm.study import runs


def write_log(folder, rows, unfinished=''):
    file = folder / 'vis_data/scalars.json'
    file.parent.mkdir(parents=True)
    file.write_text(''.join(json.dumps(row) + '\n' for row in rows) + unfinished)


def test_what_an_interruption_repeated_counts_once_and_the_later_time(tmp_path):
    step = dict(lr=0.1, time=1.0, loss_a=1.0)
    first = [
        step | dict(epoch=1, iter=5, step=5, loss=9.0),
        step | dict(epoch=1, iter=10, step=10, loss=8.0),
        {'kitti/moderate_AP40': 1.0, 'time': 2.0, 'step': 1},
        step | dict(epoch=2, iter=15, step=15, loss=7.0),
        {'diagnosis/0.25/missed': 0.5, 'step': 11},
        {'kitti/moderate_AP40': 2.0, 'time': 2.0, 'step': 2},
    ]
    second = [
        step | dict(epoch=2, iter=20, step=20, loss=6.0),
        {'diagnosis/0.25/missed': 0.25, 'step': 11},
        {'diagnosis/0.25/missed': float('nan'), 'step': 21},
        {'kitti/moderate_AP40': 3.0, 'time': 2.0, 'step': 2},
    ]
    write_log(tmp_path / '20260101_000000', first, unfinished='{"loss": 5')
    write_log(tmp_path / '20260102_000000', second)
    found = runs.read_logs(tmp_path)
    assert found['metrics'] == {'kitti/moderate_AP40': 3.0}
    assert [row['kitti/moderate_AP40'] for row in found['evaluations']] == [1.0, 3.0]
    assert [(row['epoch'], row['loss']) for row in found['losses']] == [(1, 8.0), (2, 6.0)]
    assert found['diagnosis'] == {'iter': [11, 21], '0.25/missed': [0.25, None]}


def test_a_training_without_evaluation_has_no_metrics(tmp_path):
    write_log(tmp_path / '1', [dict(epoch=1, iter=1, step=1, loss=2.0)])
    assert runs.read_logs(tmp_path)['metrics'] == {}


def test_a_training_is_found_by_its_whole_config_and_its_drawn_data(tmp_path):
    config = Config(dict(data_root=str(tmp_path), randomness=dict(seed=0)))
    folder = runs.run_dir('a', config, tmp_path)
    assert folder == runs.run_dir('a', config.copy(), tmp_path)
    other = Config(dict(data_root=str(tmp_path), randomness=dict(seed=1)))
    assert folder != runs.run_dir('a', other, tmp_path)
    (tmp_path / 'drawn.json').write_text('other images')
    assert folder != runs.run_dir('a', config, tmp_path)


def test_a_record_says_with_what_it_was_made():
    found = runs.surroundings()
    assert {'python', 'torch', 'mmdet', 'mmengine', 'mmcv'} == set(found['versions'])
    assert found['commit'] and found['hardware']
