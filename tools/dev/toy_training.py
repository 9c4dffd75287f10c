"""The smallest training that MMEngine's Runner takes, and processes in which it is cut off.

It has all that a checkpoint must bring back: momentum, a moving average of the weights, a schedule
of the learning rate and of the mining, and augmentation by all three generators.
"""

import builtins
import errno
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch._dynamo  # what an optimizer imports: once, before any process begins
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn

import mmdet_lrm
from mmdet_lrm.mining.element_loss import LRMElementLoss

NUM_IMAGES, EPOCHS = 6, 3
RUNTIME = Path(mmdet_lrm.__file__).parents[1] / 'configs/_base_/default_runtime.py'
FILES = ('.pth', '.part', 'last_checkpoint', 'last_evaluation')


class ToyData(torch.utils.data.Dataset):
    """Pictures of 3 x 8 x 8 numbers, shifted by each of the three generators."""

    def __init__(self, augmented: bool) -> None:
        self.pictures = torch.rand(NUM_IMAGES, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        self.augmented = augmented
        self.metainfo = dict(classes=('toy',))

    def __len__(self) -> int:
        return NUM_IMAGES

    def __getitem__(self, index: int) -> dict:
        shift = random.random() + np.random.rand() + torch.rand(()) if self.augmented else 0
        return dict(inputs=self.pictures[index] + shift)


class ToyModel(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.1))
        self.loss = LRMElementLoss('SmoothL1Loss', hard_ratio=0.5)

    def init_weights(self) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers[0].reset_parameters()

    def forward(self, inputs: list[Tensor], mode: str = 'tensor') -> object:
        found = self.layers(torch.stack(inputs))
        rows = found.movedim(1, 3).flatten(0, 2)  # each place of a map is an element
        return dict(loss=self.loss(rows, rows.detach().cos())) if mode == 'loss' else [found]


class ToyMetric(BaseMetric):
    """A number that any change of the weights changes, and that rises and falls with them."""

    default_prefix = 'toy'

    def process(self, data_batch: object, data_samples: list[Tensor]) -> None:
        self.results.append(data_samples[0].double().sum().item())

    def compute_metrics(self, results: list[float]) -> dict:
        return dict(score=float(np.sin(2 * np.sum(results))))


class ToyRunner(Runner):
    def _log_env(self, env_cfg: dict) -> None:
        """Ask no compiler for its version: a toy is trained some hundred times."""


def toy_runner(
    work_dir: Path, workers: int = 0, by_epoch: bool = True, **options: object
) -> Runner:
    """A Runner of 3 epochs of 3 iterations each, with the hooks of the shipped configs."""
    runtime = Config.fromfile(RUNTIME)
    hooks = runtime.default_hooks.to_dict() | options.pop('hooks', {})
    del hooks['visualization']  # of detections
    loop = dict(by_epoch=True, max_epochs=EPOCHS)
    if not by_epoch:
        loop = dict(by_epoch=False, max_iters=3 * EPOCHS, val_interval=3)
        hooks['checkpoint'] |= dict(by_epoch=False, interval=3)
        hooks['logger'] |= dict(log_metric_by_epoch=False)
    load = dict(batch_size=2, num_workers=workers, persistent_workers=workers > 0)
    train = dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler', shuffle=True)
    val = dict(type='DefaultSampler', shuffle=False)
    return ToyRunner(
        model=ToyModel(),
        work_dir=str(work_dir),
        train_dataloader=dict(dataset=ToyData(True), sampler=train, **load),
        val_dataloader=dict(dataset=ToyData(False), sampler=val, **load),
        train_cfg=loop,
        val_cfg={},
        val_evaluator=dict(type=ToyMetric),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9)),
        param_scheduler=dict(type='MultiStepLR', milestones=[2, 8], by_epoch=by_epoch),
        default_hooks=hooks,
        custom_hooks=[
            dict(type='EMAHook', momentum=0.1),
            dict(type='LRMScheduleHook', begin=1, end=7, by_epoch=False),
        ],
        randomness=runtime.randomness.to_dict(),
        env_cfg=runtime.env_cfg.to_dict(),
        visualizer=dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')]),
        default_scope='mmdet',
        log_level='WARNING',
        log_processor=dict(by_epoch=by_epoch),
        **options,
    )


def in_child(function: Callable, *args: object, log: Path) -> int:
    """Call in a process of its own: 0, 1 if it raised, or less than 0, the signal that ended it."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        with open(log, 'a', buffering=1) as sys.stdout:
            sys.stderr = sys.stdout
            try:
                function(*args)
                status = 0
            except BaseException:
                traceback.print_exc()
    finally:
        os._exit(status)


class Cut:
    """Cuts this process off at one of the steps by which checkpoints are written.

    A step is to open a file, to write its first half, to write the rest, to flush, to rename, to
    delete; they are numbered from 0, in the order in which they begin and end.

    Args:
        at: the number of the step.
        full_disk: raise the error of a full disk from then on, in place of SIGKILL.
    """

    def __init__(self, at: int, full_disk: bool = False) -> None:
        self.at, self.full_disk, self.number = at, full_disk, -1
        builtins.open = self.opening(open)
        for name in ('fsync', 'replace', 'remove', 'unlink'):
            setattr(os, name, self.around(getattr(os, name), name == 'fsync'))

    def step(self, needs_space: bool) -> None:
        self.number += 1
        if self.full_disk and needs_space and self.number >= self.at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if not self.full_disk and self.number == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable, needs_space: bool) -> Callable:
        def cut(path: object, *args: object, **options: object) -> object:
            if not isinstance(path, int) and not str(path).endswith(FILES):  # ints are flushed
                return function(path, *args, **options)
            self.step(needs_space)
            result = function(path, *args, **options)
            self.step(False)
            return result

        return cut

    def opening(self, function: Callable) -> Callable:
        def cut(path: object, mode: str = 'r', *args: object, **options: object) -> object:
            file = function(path, mode, *args, **options)
            if not str(path).endswith(FILES) or 'w' not in mode:
                return file
            self.step(True)
            return Halves(file, self)

        return cut


class Halves:
    """A file that is written in two steps."""

    def __init__(self, file: object, cut: Cut) -> None:
        self.file, self.cut = file, cut

    def __getattr__(self, name: str) -> object:
        return getattr(self.file, name)

    def __enter__(self) -> 'Halves':
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def write(self, content: bytes | str) -> None:
        half = len(content) // 2
        for part in (content[:half], content[half:]):
            self.file.write(part)
            self.file.flush()
            self.cut.step(True)
