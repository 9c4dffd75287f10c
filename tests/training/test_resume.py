"""A training that is cut off anywhere, and gone on with, ends as one that was not."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from toy_training import Cut, in_child, toy_runner

from mmdet_lrm.launch.checkpoints import load_checkpoint
from mmdet_lrm.launch.resuming import choose_start


def train(work_dir, cut=None, **options):
    """Train in this process, from the newest checkpoint if there is one."""
    start = choose_start(Config(dict(work_dir=str(work_dir))))
    runner = toy_runner(
        work_dir, resume=start is not None, load_from=start and str(start), **options
    )
    if cut:
        cut(runner)
    runner.train()


def child(work_dir, cut=None, **options):
    work_dir.mkdir(exist_ok=True)
    return in_child(lambda: train(work_dir, cut, **options), log=work_dir / 'log.txt')


def result(work_dir):
    """All that a training leaves: the files, the tensors of each, the metrics of each epoch."""
    files = {path.name: flat(load_checkpoint(path)) for path in work_dir.glob('*.pth*')}
    rows = {}
    for log in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for row in map(json.loads, log.read_text().splitlines()):
            if 'toy/score' in row:
                rows[row['step']] = row['toy/score']
    notes = {name: (work_dir / name).read_text() for name in ('last_checkpoint', 'last_evaluation')}
    return files, rows, {name: Path(text).name for name, text in notes.items()}


def flat(node, key=''):
    """Every number of a checkpoint, without times and paths."""
    if isinstance(node, torch.Tensor):
        return {key: (node.dtype, node.tolist())}
    if isinstance(node, dict):
        found = {}
        for name, each in node.items():
            if name in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers') or key:
                found |= flat(each, f'{key}/{name}')
        return found
    if isinstance(node, (list, tuple)):
        return flat(dict(enumerate(node)), key)
    return {key: node} if key else {}


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """By the loop, what a training leaves that was not cut off."""
    results = {}
    for by_epoch in (True, False):
        work_dir = tmp_path_factory.mktemp('whole') / 'run'
        assert child(work_dir, by_epoch=by_epoch) == 0, (work_dir / 'log.txt').read_text()
        results[by_epoch] = result(work_dir)
    return results


def test_an_uninterrupted_training_keeps_the_last_two_checkpoints_and_the_best(whole):
    files, rows, notes = whole[True]
    assert set(files) == {'epoch_2.pth', 'epoch_3.pth', 'best_toy_score_epoch_2.pth'}
    assert list(rows) == [1, 2, 3]
    assert max(rows, key=rows.get) == 2
    assert notes == dict(last_checkpoint='epoch_3.pth', last_evaluation='epoch_3.pth')


def cut_at(number, full_disk=False):
    return lambda runner: Cut(number, full_disk)


def goes_on_as_if_whole(work_dir, whole, ended, cut, **options):
    """Whether the training was cut off at all; it ends as the one that was not."""
    status = child(work_dir, cut, **options)
    if status != 0:
        assert status == ended
        assert child(work_dir, **options) == 0, (work_dir / 'log.txt').read_text()
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
def test_a_training_cut_off_at_any_step_of_writing_goes_on(tmp_path, whole, by_epoch, full_disk):
    ended, number = 1 if full_disk else -signal.SIGKILL, 0
    while goes_on_as_if_whole(
        tmp_path / str(number), whole, ended, cut_at(number, full_disk), by_epoch=by_epoch
    ):
        number += 1
    assert number > 100


class Killing(Hook):
    """Ends the process in one call of one of a hook's methods."""

    priority = 'LOWEST'

    def __init__(self, method, number):
        self.left = number
        setattr(self, method, self.count)

    def count(self, runner, *args, **options):
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)


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
    def cut(runner):
        runner.register_hook(Killing(method, number))

    options = dict(workers=workers, by_epoch=by_epoch)
    assert goes_on_as_if_whole(tmp_path / 'run', whole, -signal.SIGKILL, cut, **options)
