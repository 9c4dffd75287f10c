"""The smallest training that MMEngine's Runner takes, for trying what may befall one.

It has all that a checkpoint must bring back: momentum, a moving average of the weights, a schedule
of the learning rate and of the mining, and augmentation by all three generators.
"""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from cutting import in_child
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from toy_parts import Parts, toy_parts

import mmdet_lrm
from mmdet_lrm.launch.resuming import choose_start
from mmdet_lrm.training.lock import lock_run

EPOCHS = 3
RUNTIME = Path(mmdet_lrm.__file__).parents[1] / 'configs/_base_/default_runtime.py'


class ToyRunner(Runner):
    def _log_env(self, env_cfg: dict) -> None:
        """Ask no compiler for its version: a toy is trained some hundred times."""


def toy_runner(
    work_dir: Path,
    workers: int = 0,
    by_epoch: bool = True,
    parts: Callable[[], Parts] = toy_parts,
    epochs: int = EPOCHS,
    **options: object,
) -> Runner:
    """A Runner of epochs of 3 iterations each, with the hooks of the shipped configs."""
    model, train_data, val_data, metric = parts()
    runtime = Config.fromfile(RUNTIME)
    hooks = runtime.default_hooks.to_dict() | dict(visualization=None) | options.pop('hooks', {})
    hooks = {name: hook for name, hook in hooks.items() if hook is not None}
    loop = dict(by_epoch=True, max_epochs=epochs)
    if not by_epoch:
        loop = dict(by_epoch=False, max_iters=3 * epochs, val_interval=3)
        hooks['checkpoint'] |= dict(by_epoch=False, interval=3)
        hooks['logger'] |= dict(log_metric_by_epoch=False)
    load = dict(batch_size=2, num_workers=workers, persistent_workers=workers > 0)
    train = dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler', shuffle=True)
    val = dict(type='DefaultSampler', shuffle=False)
    return ToyRunner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=dict(dataset=train_data, sampler=train, **load),
        val_dataloader=dict(dataset=val_data, sampler=val, **load),
        train_cfg=loop,
        val_cfg={},
        val_evaluator=Evaluator(metric),
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
