"""Trainings as processes: their logs, what their parts took, and how they are found again."""

import json
import os
import time
from ast import literal_eval

import pytest
from cutting import in_child
from mmengine.config import Config

from mmdet_lrm.study import trainings
from mmdet_lrm.study.trainings import Spent, TrainingError, Trainings, read_logs, run_dir
from mmdet_lrm.training.lock import locked


def write_log(folder, rows, unfinished=''):
    file = folder / 'vis_data/scalars.json'
    file.parent.mkdir(parents=True)
    file.write_text(''.join(json.dumps(row) + '\n' for row in rows) + unfinished)


def test_what_an_interruption_repeated_counts_once_and_the_later_time(tmp_path):
    step = dict(lr=0.1, time=1.0, loss_a=1.0)
    first = [
        step | {'epoch': 1, 'iter': 5, 'step': 5, 'loss': 9.0, 'mining/kept': 0.25},
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
    found = read_logs(tmp_path)
    assert found.evaluations == {'epoch': [1, 2], 'kitti/moderate_AP40': [1.0, 3.0]}
    assert found.losses == {'epoch': [1, 2], 'loss': [8.0, 6.0]}
    assert found.diagnosis == {'iter': [11, 21], '0.25/missed': [0.25, None]}


def test_a_value_that_one_epoch_lacks_is_none_there(tmp_path):
    rows = [{'voc/a_AP': 0.12345, 'step': 1}, {'voc/a_AP': 0.5, 'voc/b_AP': 1.0, 'step': 2}]
    write_log(tmp_path / '1', rows)
    assert read_logs(tmp_path).evaluations == {
        'epoch': [1, 2],
        'voc/a_AP': [0.1235, 0.5],
        'voc/b_AP': [None, 1.0],
    }


def test_a_training_is_found_by_its_whole_config_and_its_drawn_data(tmp_path):
    config = Config(dict(data_root=str(tmp_path), randomness=dict(seed=0)))
    folder = run_dir('a', config, tmp_path)
    assert folder == run_dir('a', config.copy(), tmp_path)
    other = Config(dict(data_root=str(tmp_path), randomness=dict(seed=1)))
    assert folder != run_dir('a', other, tmp_path)
    (tmp_path / 'drawn.json').write_text('other images')
    assert folder != run_dir('a', config, tmp_path)


def test_a_record_says_with_what_it_was_made():
    found = trainings.surroundings()
    assert {'python', 'torch', 'mmdet', 'mmengine', 'mmcv'} == set(found['versions'])
    assert found['commit'] and found['hardware']


def test_parts_of_a_training_add_their_minutes_and_the_largest_took_the_memory():
    assert Spent().and_then(3.0, 500).and_then(4.5, 400) == Spent(7.5, 500)


CONFIG = Config(dict(train_cfg=dict(max_epochs=3)))
# Stands in for tools/train.py, which is called with CONFIG --resume --work-dir FOLDER: fails once.
FAILS_ONCE = """\
import pathlib, sys, time
assert sys.argv[2:4] == ['--resume', '--work-dir']
folder = pathlib.Path(sys.argv[4])
time.sleep(0.1)
if not (folder / 'again').exists():
    (folder / 'again').touch()
    sys.exit('the disk is full')
log = folder / '1/vis_data/scalars.json'
log.parent.mkdir(parents=True)
log.write_text('{"epoch": 1, "iter": 4, "step": 4, "time": 1.0, "loss": 2.0}\\n'
               '{"voc/mAP": 0.5, "step": 3}\\n')
"""


@pytest.fixture
def failing_once(tmp_path, monkeypatch):
    monkeypatch.setattr(trainings, 'POLL_SECONDS', 0.02)
    program = tmp_path / 'train.py'
    program.write_text(FAILS_ONCE)
    return Trainings(program)


def test_a_training_that_failed_goes_on_and_its_first_part_counts(failing_once, tmp_path):
    folder = tmp_path / 'run'
    with pytest.raises(TrainingError, match=r'training a failed.*\n.*the disk is full'):
        failing_once.train('a', CONFIG, folder)
    spent = json.loads((folder / 'spent.json').read_text())
    assert spent['minutes'] > 0
    (folder / 'spent.json').write_text(json.dumps(spent | dict(minutes=40.0, memory_mb=10**6)))
    found = failing_once.train('a', CONFIG, folder)
    assert 40.0 <= found.spent.minutes < 40.5 and found.spent.memory_mb == 10**6
    assert found.logs.evaluations == {'epoch': [3], 'voc/mAP': [0.5]}
    assert found.checkpoint == folder / 'epoch_3.pth'


def test_a_finished_training_is_not_started_again(failing_once, tmp_path):
    folder = tmp_path / 'run'
    folder.mkdir()
    (folder / 'again').touch()
    found = failing_once.train('a', CONFIG, folder)
    failing_once.program.unlink()
    assert failing_once.train('a', CONFIG, folder) == found


@pytest.mark.parametrize('half', ['', '{"logs": {"eval', '\0' * 40])
@pytest.mark.parametrize('name', ['finished.json', 'spent.json'])
def test_a_half_written_file_is_said_and_made_again(failing_once, tmp_path, capsys, name, half):
    folder = tmp_path / 'run'
    folder.mkdir()
    (folder / 'again').touch()
    (folder / name).write_text(half)
    found = failing_once.train('a', CONFIG, folder)
    assert f'{folder / name} was not written whole; it is made again' in capsys.readouterr().out
    failing_once.program.unlink()
    assert failing_once.train('a', CONFIG, folder) == found


EVALUATED = Config(dict(train_cfg=dict(max_epochs=3, val_interval=3), val_cfg=dict(type='ValLoop')))


def test_a_training_without_its_last_evaluation_is_not_taken_as_finished(failing_once, tmp_path):
    folder = tmp_path / 'run'
    folder.mkdir()
    (folder / 'again').touch()
    logs = dict(evaluations=dict(epoch=[1, 2]), losses={}, diagnosis={})
    old = dict(logs=logs, spent=dict(minutes=1.0, memory_mb=1), memory_of='process', commit='c')
    (folder / 'finished.json').write_text(json.dumps(old | dict(versions={}, hardware='h')))
    assert failing_once.train('a', EVALUATED, folder).logs.evaluations['epoch'] == [3]


@pytest.mark.parametrize('interval', [3, 9])  # MMEngine evaluates the last epoch at any
def test_a_training_that_ends_without_its_last_evaluation_is_an_error(
    interval, failing_once, tmp_path
):
    config = EVALUATED.copy()
    config.train_cfg.val_interval = interval
    failing_once.program.write_text('')
    with pytest.raises(TrainingError, match=r'a ended without an evaluation of epoch 3; see .*log'):
        failing_once.train('a', config, tmp_path / 'run')


def test_a_training_that_begins_to_evaluate_after_its_end_lacks_nothing(failing_once, tmp_path):
    config = EVALUATED.copy()
    config.train_cfg.val_begin = 4
    failing_once.program.write_text('')
    found = failing_once.train('a', config, tmp_path / 'run')
    assert found.logs.evaluations == {}


def test_one_process_at_a_time_is_at_a_training(failing_once, tmp_path):
    folder = tmp_path / 'run'
    folder.mkdir()
    other = in_child(refused_while_held, folder, failing_once, log=tmp_path / 'log')
    assert other == 0, (tmp_path / 'log').read_text()


def refused_while_held(folder, trainings):
    with locked(folder / 'run.lock'):
        log = folder.parent / 'second.log'
        assert in_child(trainings.train, 'a', CONFIG, folder, log=log) == 1
        assert f'is in use by process {os.getpid()}' in log.read_text()


def test_stopped_trainings_end_and_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(trainings, 'POLL_SECONDS', 0.02)
    program = tmp_path / 'train.py'
    program.write_text('import time; time.sleep(60)')
    stopped = Trainings(program)
    stopped.stop()
    begin = time.monotonic()
    with pytest.raises(TrainingError, match='training a was stopped'):
        stopped.train('a', CONFIG, tmp_path / 'run')
    assert time.monotonic() - begin < 30  # the process sleeps for 60


def test_a_training_keeps_the_memory_that_it_freed_unless_the_caller_sets_it(tmp_path, monkeypatch):
    monkeypatch.setenv('MALLOC_TOP_PAD_', '7')
    program = tmp_path / 'train.py'
    program.write_text("import os; print({k: os.environ[k] for k in os.environ if 'MALLOC' in k})")
    Trainings(program)._run('a', tmp_path / 'config.py', epochs=1)
    assert literal_eval((tmp_path / 'train.log').read_text()) == {
        'MALLOC_MMAP_THRESHOLD_': '4000000000',
        'MALLOC_TRIM_THRESHOLD_': '8000000000',
        'MALLOC_TOP_PAD_': '7',
    }
