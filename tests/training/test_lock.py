"""The lock of a folder."""

import os
import signal
import time
from contextlib import nullcontext

import pytest
from cutting import in_child

from mmdet_lrm.errors import LaunchError
from mmdet_lrm.training.lock import lock_run, locked


def hold(folder, seconds):
    with lock_run(folder):
        (folder / 'held').touch()
        time.sleep(seconds)


@pytest.fixture
def holder(tmp_path):
    """The id of a process that holds the lock of a folder."""
    child = os.fork()
    if child == 0:
        hold(tmp_path, 60)
    while not (tmp_path / 'held').exists():
        time.sleep(0.01)
    yield child
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_folder_in_use_is_refused_and_the_process_named(holder, tmp_path):
    for _ in range(2):  # what was refused leaves the lock as it was
        with pytest.raises(LaunchError, match=f"{tmp_path}' is in use by process {holder}, "):
            lock_run(tmp_path).__enter__()


def test_a_folder_of_a_process_that_was_killed_is_taken_over(tmp_path):
    def take_and_die():
        with lock_run(tmp_path):
            if os.fork() == 0:
                time.sleep(5)  # a worker
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(take_and_die, log=tmp_path / 'log') == -signal.SIGKILL
    with lock_run(tmp_path):
        assert (tmp_path / 'training.lock').read_text() == f'{os.getpid()}\n'


def test_a_lock_ends_with_its_block_and_another_folder_is_free(tmp_path):
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()
    with lock_run(tmp_path / 'a'):
        assert in_child(hold, tmp_path / 'b', 0, log=tmp_path / 'log') == 0
        assert in_child(hold, tmp_path / 'a', 0, log=tmp_path / 'log') == 1
    assert in_child(hold, tmp_path / 'a', 0, log=tmp_path / 'log') == 0


def test_of_a_distributed_run_the_first_process_holds_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr('mmdet_lrm.training.lock.is_main_process', lambda: False)
    assert isinstance(lock_run(tmp_path), nullcontext)
    with locked(tmp_path / 'training.lock'):
        lock_run(tmp_path).__enter__()
