"""The smallest training that MMEngine's Runner takes, for trying what may befall one.

It has all that a checkpoint must bring back: momentum, a moving average of the weights, a schedule
of the learning rate and of the mining, and augmentation by all three generators.
"""

import random
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch._dynamo  # what an optimizer imports: once, before any process begins
from cutting import in_child
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn

import mmdet_lrm
from mmdet_lrm.launch.resuming import choose_start
from mmdet_lrm.mining.element_loss import LRMElementLoss
from mmdet_lrm.training.lock import lock_run

NUM_IMAGES, EPOCHS = 6, 3
RUNTIME = Path(mmdet_lrm.__file__).parents[1] / 'configs/_base_/default_runtime.py'


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
    hooks = runtime.default_hooks.to_dict() | dict(visualization=None) | options.pop('hooks', {})
    hooks = {name: hook for name, hook in hooks.items() if hook is not None}
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


def train(
    work_dir: Path,
    cut: Callable[[Runner], object] | None = None,
    start: Callable[[Path], Path | None] | None = None,
    **options: object,
) -> None:
    """Train, or go on from where ``start`` says, the newest checkpoint that is whole."""
    begin = (start or newest)(work_dir)
    runner = toy_runner(work_dir, resume=bool(begin), load_from=begin and str(begin), **options)
    if cut:
        cut(runner)
    with lock_run(work_dir) if start is None else nullcontext():
        runner.train()


def newest(work_dir: Path) -> Path | None:
    return choose_start(Config(dict(work_dir=str(work_dir))))


def train_apart(work_dir: Path, *args: object, **options: object) -> int:
    """In a process of its own: how that ended."""
    work_dir.mkdir(exist_ok=True)
    return in_child(partial(train, work_dir, *args, **options), log=work_dir / 'log.txt')
