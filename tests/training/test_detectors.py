"""The real heads: a training repeats itself, goes on as if it had not ended, and does not grow."""

import os
import random
import signal
from functools import partial

import pytest
import torch
from cutting import cut_at, in_child, killed_in
from leavings import result
from mmengine.hooks import Hook
from small_detectors import PARTS
from toy_training import toy_runner, train_apart


@pytest.fixture(scope='module', params=PARTS)
def head(request):
    return request.param


@pytest.fixture(scope='module')
def whole(head, tmp_path_factory):
    """What a training of the head leaves that was not cut off."""
    folder = tmp_path_factory.mktemp(head) / 'run'
    assert train_apart(folder, parts=PARTS[head]) == 0, (folder / 'log.txt').read_text()
    return result(folder)


@pytest.mark.slow
def test_a_training_learns_evaluates_and_repeats_itself_bit_for_bit(head, whole, tmp_path):
    files, rows, _ = whole
    weights = [files[f'epoch_{epoch}.pth'] for epoch in (2, 3)]
    assert weights[0] != weights[1]
    assert len(set(rows.values())) == 3
    assert train_apart(tmp_path / 'run', parts=PARTS[head]) == 0
    assert result(tmp_path / 'run') == whole


@pytest.mark.slow
@pytest.mark.parametrize('workers', [0, 2])
def test_killed_at_random_and_resumed_equals_uninterrupted(head, whole, tmp_path, workers):
    rng = random.Random(f'{head} {workers}')
    cuts = [
        killed_in('after_train_iter', rng.randrange(9)),
        killed_in('before_val_iter', rng.randrange(9)),
        cut_at(rng.randrange(30, 100)),
    ]
    for number, cut in enumerate(cuts):
        folder = tmp_path / str(number)
        options = dict(parts=PARTS[head], workers=workers)
        assert train_apart(folder, cut, **options) == -signal.SIGKILL
        assert train_apart(folder, **options) == 0, (folder / 'log.txt').read_text()
        assert result(folder) == whole


def deterministic_steps(head, folder):
    """Two steps from the same weights, where torch refuses what is not deterministic."""
    torch.use_deterministic_algorithms(True)
    gradients = []
    for _ in range(2):
        runner = toy_runner(folder, parts=PARTS[head])
        runner.call_hook('before_run')
        loop = runner.build_train_loop(runner._train_loop)
        torch.manual_seed(0)
        batch = runner.model.data_preprocessor(next(iter(loop.dataloader)), training=True)
        losses = runner.model(**batch, mode='loss')
        sum(each for each in losses.values()).backward()
        gradients.append([each.grad for each in runner.model.parameters()])
    assert any(each.any() for each in gradients[0])
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))


def test_a_step_is_deterministic_where_torch_demands_it(head, tmp_path):
    log = tmp_path / 'log.txt'
    assert in_child(deterministic_steps, head, tmp_path, log=log) == 0, log.read_text()


class Measure(Hook):
    """After each epoch: open files, threads, and the memory that is held, in pages."""

    def __init__(self):
        self.rows = []

    def after_train_epoch(self, runner):
        with open('/proc/self/statm') as memory:
            pages = int(memory.read().split()[1])
        threads = os.listdir('/proc/self/task')
        self.rows.append((len(os.listdir('/proc/self/fd')), len(threads), pages))


def measure(runner, head):
    hook = Measure()
    runner.register_hook(hook)
    runner.train()
    files, threads, pages = zip(*hook.rows[20:], strict=True)
    assert len(set(files)) == 1, files
    assert len(set(threads)) == 1, threads
    growth = (max(pages[-10:]) - max(pages[:10])) * os.sysconf('SC_PAGE_SIZE') / 2**20
    assert growth < 8, f'{growth:.1f} MB'


def long_training(head, folder, workers):
    measure(toy_runner(folder, workers, parts=PARTS[head], epochs=80), head)


@pytest.mark.slow
@pytest.mark.parametrize('workers', [0, 2])
def test_240_iterations_leave_memory_and_open_files_as_they_were(head, workers, tmp_path):
    log = tmp_path / 'log.txt'
    run = partial(long_training, head, tmp_path, workers)
    assert in_child(run, log=log) == 0, log.read_text()[-3000:]
