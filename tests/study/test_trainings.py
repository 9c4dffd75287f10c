"""Trainings as processes: their logs, what their parts took, and how they are found again."""

import json
import os
import time
from ast import literal_eval

import pytest
from cutting import in_child
from mmengine.config import Config

from mmdet_lrm.study import trainings
from mmdet_lrm.study.trainings import (
    Spent,
    TrainingError,
    Trainings,
    last_scalars,
    read_logs,
    run_dir,
    scalars,
)
from mmdet_lrm.training.lock import locked

STEP = dict(lr=0.1, time=1.0)


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


def test_values_keep_four_digits_and_shares_of_the_gradient_three(tmp_path):
    rows = [
        STEP | dict(epoch=1, iter=12345, step=12345, loss=38.70684),
        {'diagnosis/0.25/missed': 0.12345, 'step': 12345},
        {'kitti/AP40': 7.87654, 'voc/a_AP': 0.000123456, 'voc/b_AP': 1.0, 'step': 1},
    ]
    write_log(tmp_path / '1', rows)
    found = read_logs(tmp_path)
    assert found.losses == {'epoch': [1], 'loss': [38.71]}
    assert found.diagnosis == {'iter': [12345], '0.25/missed': [0.123]}
    assert found.evaluations['kitti/AP40'] == [7.877]
    assert found.evaluations['voc/a_AP'] == [0.0001] and found.evaluations['voc/b_AP'] == [1.0]


# --- a folder that was trained in more than once --------------------------------------------------


def epochs_of(*numbers, iters=10, ap=0.1):
    """Rows of whole epochs, each logged once and evaluated."""
    for epoch in numbers:
        yield STEP | dict(epoch=epoch, iter=epoch * iters, step=epoch * iters, loss=9.0 - epoch)
        yield {'diagnosis/0.25/missed': 0.5, 'step': epoch * iters}
        yield {'voc/mAP': ap * epoch, 'step': epoch}


@pytest.mark.parametrize('iters', [10, 5, 20], ids=['alike', 'larger batch', 'smaller batch'])
def test_a_training_that_began_anew_is_not_continued_by_what_was_before(tmp_path, iters):
    write_log(tmp_path / '20260101_000000', epochs_of(1, 2, 3, 4))
    write_log(tmp_path / '20260102_000000', epochs_of(1, 2, iters=iters, ap=0.01))
    found = read_logs(tmp_path)
    assert found.evaluations == {'epoch': [1, 2], 'voc/mAP': [0.01, 0.02]}
    assert found.losses == {'epoch': [1, 2], 'loss': [8.0, 7.0]}
    assert found.diagnosis['iter'] == [iters, 2 * iters]
    assert len(scalars(tmp_path)) == 6


def test_a_training_that_was_resumed_twice_at_one_step_keeps_all_of_its_rows(tmp_path):
    first = [{'mining/kept': 0.25, 'step': 3}, *epochs_of(1, 2)]
    write_log(tmp_path / '20260101_000000', first, unfinished='{"loss": 5')
    # Killed within its first epoch, and resumed from the same checkpoint again.
    write_log(tmp_path / '20260102_000000', list(epochs_of(3))[:2])
    write_log(tmp_path / '20260103_000000', epochs_of(3, 4, ap=0.2))
    assert len(scalars(tmp_path)) == 1 + 6 + 6
    found = read_logs(tmp_path)
    assert found.evaluations == {'epoch': [1, 2, 3, 4], 'voc/mAP': [0.1, 0.2, 0.6, 0.8]}
    assert found.losses['epoch'] == [1, 2, 3, 4] and found.diagnosis['iter'] == [10, 20, 30, 40]
    assert last_scalars(tmp_path, 'mining/') == {'kept': 0.25}


def test_a_training_that_was_resumed_within_its_first_epoch_keeps_its_rows(tmp_path):
    rows = [STEP | dict(epoch=1, iter=step, step=step, loss=1.0) for step in (50, 100, 150, 200)]
    write_log(tmp_path / '1', rows[:2])
    write_log(tmp_path / '2', rows[2:])
    assert [row['step'] for row in scalars(tmp_path)] == [50, 100, 150, 200]
    # By iterations there are no epochs.
    bare = [{key: value for key, value in row.items() if key != 'epoch'} for row in rows]
    write_log(tmp_path / 'by_iter/1', bare[:2])
    write_log(tmp_path / 'by_iter/2', bare[2:])
    assert len(scalars(tmp_path / 'by_iter')) == 4
    write_log(tmp_path / 'by_iter/3', bare[:1])
    assert len(scalars(tmp_path / 'by_iter')) == 1


def test_what_came_after_the_checkpoint_that_a_training_goes_on_from_is_none_of_it(tmp_path):
    write_log(tmp_path / '1', epochs_of(1, 2, 3, 4, 5))
    write_log(tmp_path / '2', epochs_of(3, ap=0.01))
    found = read_logs(tmp_path)
    assert found.evaluations == {'epoch': [1, 2, 3], 'voc/mAP': [0.1, 0.2, 0.03]}
    assert found.losses['epoch'] == [1, 2, 3] and found.diagnosis['iter'] == [10, 20, 30]
    # The third epoch again, of which nothing but a loss is logged so far.
    write_log(tmp_path / '3', list(epochs_of(3))[:1])
    found = read_logs(tmp_path)
    assert found.evaluations['epoch'] == [1, 2] and found.diagnosis['iter'] == [10, 20]
    assert found.losses['epoch'] == [1, 2, 3]


def test_a_start_anew_ends_all_parts_of_the_training_before(tmp_path):
    write_log(tmp_path / '1', epochs_of(1, 2))
    write_log(tmp_path / '2', epochs_of(3, 4))
    write_log(tmp_path / '3', epochs_of(1, ap=0.01))
    write_log(tmp_path / '4', epochs_of(2, ap=0.01))
    assert read_logs(tmp_path).evaluations == {'epoch': [1, 2], 'voc/mAP': [0.01, 0.02]}


def test_an_evaluation_by_itself_is_none_of_a_training_and_does_not_begin_one(tmp_path):
    by_itself = [{'voc/mAP': 0.9, 'step': 0}]  # MMEngine's step where nothing is trained
    write_log(tmp_path / '0', by_itself)
    write_log(tmp_path / '1', epochs_of(1))
    write_log(tmp_path / '2', by_itself)
    # Resumed at an epoch that a kill had cut off from its evaluation, the last or not.
    late = {'voc/mAP': 0.2, 'step': 2}
    write_log(tmp_path / '3', list(epochs_of(2))[:2])
    write_log(tmp_path / '4', [late])
    write_log(tmp_path / '5', epochs_of(3))
    found = read_logs(tmp_path).evaluations
    assert found == {'epoch': [1, 2, 3], 'voc/mAP': [0.1, 0.2, 0.3]}


def test_a_training_is_found_by_its_whole_config_and_its_data(tmp_path):
    config = Config(dict(data_root=str(tmp_path), randomness=dict(seed=0)))
    folder = run_dir('a', config, 'd', tmp_path)
    assert folder == run_dir('a', config.copy(), 'd', tmp_path)
    other = Config(dict(data_root=str(tmp_path), randomness=dict(seed=1)))
    assert folder != run_dir('a', other, 'd', tmp_path)
    assert folder != run_dir('a', config, 'e', tmp_path)


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


# Finishes, and something else is committed meanwhile.
COMMITS_MEANWHILE = """\
import pathlib, sys
(pathlib.Path(sys.argv[4]) / 'commit').write_text('later')
"""


def test_a_record_has_the_commit_that_its_training_began_at(tmp_path, monkeypatch):
    commit = tmp_path / 'commit'
    made_with = dict(versions=dict(torch='2'), hardware='h')
    monkeypatch.setattr(trainings, 'POLL_SECONDS', 0.02)
    monkeypatch.setattr(
        trainings, 'surroundings', lambda: made_with | dict(commit=commit.read_text())
    )
    program = tmp_path / 'train.py'
    program.write_text(COMMITS_MEANWHILE)
    commit.write_text('first')
    assert Trainings(program).train('a', CONFIG, tmp_path).commit == 'first'


def test_a_record_has_all_that_its_training_was_gone_on_with(failing_once, tmp_path, monkeypatch):
    starts = [
        dict(commit='a', versions=dict(torch='1', mmcv='1'), hardware='CPU, 2 cores'),
        dict(commit='b', versions=dict(torch='2', mmcv='1'), hardware='CPU, 2 cores'),
        dict(commit='a', versions=dict(torch='2', mmcv='1'), hardware='1 x H200'),
    ]
    folder = tmp_path / 'run'
    for number, start in enumerate(starts):
        monkeypatch.setattr(trainings, 'surroundings', lambda start=start: start)
        if number < 2:
            folder.mkdir(exist_ok=True)
            (folder / 'again').unlink(missing_ok=True)
            with pytest.raises(TrainingError, match='the disk is full'):
                failing_once.train('a', CONFIG, folder)
    found = failing_once.train('a', CONFIG, folder)
    assert found.commit == 'a, b'
    assert found.versions == dict(torch='1, 2', mmcv='1')
    assert found.hardware == 'CPU, 2 cores; 1 x H200'


def test_a_start_by_an_older_version_which_noted_none_is_unknown(failing_once, tmp_path):
    folder = tmp_path / 'run'
    with pytest.raises(TrainingError):
        failing_once.train('a', CONFIG, folder)
    (folder / 'starts.json').unlink(missing_ok=True)
    now = trainings.surroundings()
    found = failing_once.train('a', CONFIG, folder)
    assert found.commit == f'unknown, {now["commit"]}'
    assert (found.versions, found.hardware) == (now['versions'], now['hardware'])


@pytest.mark.parametrize('half', ['', '{"logs": {"eval', '\0' * 40])
@pytest.mark.parametrize('name', ['finished.json', 'spent.json', 'starts.json'])
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
