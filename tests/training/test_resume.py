"""A training that is cut off anywhere, and gone on with, ends as one that was not."""

import shutil
import signal

import pytest
from cutting import cut_at, killed_in
from leavings import result
from toy_training import train_apart


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """By the loop, what a training leaves that was not cut off."""
    results = {}
    for by_epoch in (True, False):
        work_dir = tmp_path_factory.mktemp('whole') / 'run'
        assert train_apart(work_dir, by_epoch=by_epoch) == 0, (work_dir / 'log.txt').read_text()
        results[by_epoch] = result(work_dir)
    return results


def test_an_uninterrupted_training_keeps_the_last_two_checkpoints_and_the_best(whole):
    files, rows, notes = whole[True]
    assert set(files) == {'epoch_2.pth', 'epoch_3.pth', 'best_toy_score_epoch_2.pth'}
    assert list(rows) == [1, 2, 3]
    assert max(rows, key=rows.get) == 2
    assert notes == dict(last_checkpoint='epoch_3.pth', last_evaluation='epoch_3.pth')


def goes_on_as_if_whole(work_dir, whole, ended, cut, **options):
    """Whether the training was cut off at all; it ends as the one that was not."""
    status = train_apart(work_dir, cut, **options)
    if status != 0:
        assert status == ended
        assert train_apart(work_dir, **options) == 0, (work_dir / 'log.txt').read_text()
    assert result(work_dir) == whole[options.get('by_epoch', True)]
    return status != 0


@pytest.mark.parametrize(
    ('number', 'by_epoch', 'full_disk'),
    [(2, True, False), (48, True, False), (61, True, False), (30, False, False), (20, True, True)],
)
def test_a_training_cut_off_while_it_writes_goes_on(tmp_path, whole, number, by_epoch, full_disk):
    ended = 1 if full_disk else -signal.SIGKILL
    cut = cut_at(number, full_disk)
    assert goes_on_as_if_whole(tmp_path / 'run', whole, ended, cut, by_epoch=by_epoch)


@pytest.mark.slow
@pytest.mark.parametrize('full_disk', [False, True])
@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_training_cut_off_at_every_fourth_step_of_writing_goes_on(
    tmp_path, whole, by_epoch, full_disk
):
    ended, number = 1 if full_disk else -signal.SIGKILL, 0
    while goes_on_as_if_whole(
        tmp_path / str(number), whole, ended, cut_at(number, full_disk), by_epoch=by_epoch
    ):
        number += 4  # tools/dev/faults.py takes every one
    assert number > 100


@pytest.mark.parametrize(
    ('method', 'number', 'workers', 'by_epoch'),
    [
        ('after_train_iter', 0, 0, True),
        ('after_train_iter', 4, 2, True),
        ('before_train_iter', 8, 0, True),
        ('before_train_iter', 5, 0, False),
        pytest.param('before_train_iter', 5, 2, False, marks=pytest.mark.slow),
        pytest.param('before_train_iter', 7, 2, True, marks=pytest.mark.slow),
        ('before_val_iter', 3, 0, True),
        ('before_val_iter', 7, 0, False),
    ],
)
def test_killed_anywhere_and_resumed_equals_uninterrupted(
    tmp_path, whole, method, number, workers, by_epoch
):
    options = dict(workers=workers, by_epoch=by_epoch)
    assert goes_on_as_if_whole(
        tmp_path / 'run', whole, -signal.SIGKILL, killed_in(method, number), **options
    )


def test_a_copied_folder_goes_on_by_itself_and_leaves_the_original_alone(tmp_path, whole):
    original, copy = tmp_path / 'original', tmp_path / 'copy'
    assert train_apart(original, killed_in('before_train_iter', 4)) == -signal.SIGKILL
    shutil.copytree(original, copy)
    before = result(original)
    assert train_apart(copy) == 0
    assert result(copy) == whole[True]
    assert result(original) == before


def test_a_new_training_in_an_old_folder_does_not_trust_what_the_old_one_noted(tmp_path, whole):
    folder = tmp_path / 'run'
    assert train_apart(folder) == 0
    anew = dict(start=lambda folder: None)
    cut = killed_in('before_val_iter', 7)  # in the last evaluation, which the old one has noted
    assert train_apart(folder, cut, **anew) == -signal.SIGKILL
    assert (folder / 'last_evaluation').read_text() == 'epoch_2.pth'
    assert train_apart(folder) == 0
    assert result(folder) == whole[True]
