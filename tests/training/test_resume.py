"""A training that is cut off anywhere, and gone on with, ends as one that was not."""

import json
from pathlib import Path

import pytest
import torch
import toy_training
from mmengine.config import Config
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
    """The result of trainings that were not cut off, by the loop."""
    results = {}
    for by_epoch in (True, False):
        work_dir = tmp_path_factory.mktemp('whole') / 'run'
        assert child(work_dir, by_epoch=by_epoch) == 0, (work_dir / 'log.txt').read_text()
        results[by_epoch] = result(work_dir)
    return results


def test_what_an_uninterrupted_training_leaves(whole):
    files, rows, notes = whole[True]
    assert {'epoch_3.pth', 'epoch_4.pth'} < set(files)
    assert len(files) == 3
    assert list(rows) == [1, 2, 3, 4]
    assert notes == dict(last_checkpoint='epoch_4.pth', last_evaluation='epoch_4.pth')
    best = max(rows, key=rows.get)
    assert f'best_toy_score_epoch_{best}.pth' in files
