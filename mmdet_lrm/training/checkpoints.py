"""Checkpoints of which one is whole at any moment, and evaluations that are not lost."""

import os
from pathlib import Path

from mmdet.registry import HOOKS
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmengine.runner.base_loop import BaseLoop

from .files import PART, write_whole

NOTE = 'last_checkpoint'
"""MMEngine's: the path of the checkpoint that was written last."""
EVALUATED = 'last_evaluation'
"""The name of the checkpoint whose evaluation is finished, its best checkpoint kept."""
OUTDATED = 'outdated_checkpoints'
"""In MMEngine's message hub: names of the files that go once the checkpoint with it is there."""


@register_backend('WholeFiles')
class WholeFiles(LocalBackend):
    """The local disk; files are whole at any moment, and go by :meth:`remove_outdated`."""

    def __init__(self) -> None:
        self.outdated = []

    def put(self, obj: bytes, filepath: str | Path) -> None:
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        write_whole(filepath, obj)

    def remove(self, filepath: str | Path) -> None:
        self.outdated.append(filepath)

    def remove_outdated(self) -> None:
        while self.outdated:
            Path(self.outdated.pop()).unlink(missing_ok=True)


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's hook, with its options, for a training that may be killed at any moment.

    MMEngine deletes an outdated checkpoint, writes the next one in place, and notes its name. Here
    the next one is written whole, noted, and then the outdated one goes; so for best checkpoints.
    What a checkpoint keeps of paths belongs to the work folder, wherever that was moved or copied.
    A resumed training begins with the evaluation that its checkpoint lacks.

    This is for checkpoints on a local disk; with another ``backend_args`` they are as whole as it
    makes them.
    """

    def before_train(self, runner: Runner) -> None:
        resumed = runner.iter > 0
        if resumed:
            self._return_to_folder(runner)
        super().before_train(runner)
        if type(self.file_backend) is LocalBackend and self.backend_args is None:
            self.backend_args = dict(backend=WholeFiles.__name__)
            self.file_backend = WholeFiles()
        if is_main_process():
            self._clear(runner, resumed)
        if resumed:
            self._evaluate_late(runner)

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        super().after_val_epoch(runner, metrics)
        if self.last_ckpt is not None and is_main_process():
            write_whole(Path(runner.work_dir, EVALUATED), Path(self.last_ckpt).name)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Write, note, delete."""
        self.last_ckpt = self._path(step)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if is_main_process() and len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                self.file_backend.remove(self._path(self.keep_ckpt_ids[0]))
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        if isinstance(self.file_backend, WholeFiles):
            # A training that is killed before they are deleted does so when it goes on.
            names = [os.path.basename(path) for path in self.file_backend.outdated]
            runner.message_hub.update_info(OUTDATED, names)
        runner.save_checkpoint(
            self.out_dir,
            self.filename_tmpl.format(step),
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            write_whole(Path(runner.work_dir, NOTE), self.last_ckpt)
            if isinstance(self.file_backend, WholeFiles):
                self.file_backend.remove_outdated()

    def _path(self, step: int) -> str:
        return self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))

    def _return_to_folder(self, runner: Runner) -> None:
        """Paths that a checkpoint keeps name this run's folder, not that where it was written."""
        folder = runner.work_dir
        if self.out_dir is not None:  # as MMEngine reads it
            folder = os.path.join(self.out_dir, os.path.basename(folder.rstrip(os.sep)))
        for key, value in list(runner.message_hub.runtime_info.items()):
            if value and (key == 'last_ckpt' or key.startswith('best_ckpt')):
                runner.message_hub.update_info(key, os.path.join(folder, os.path.basename(value)))
        self.last_ckpt = runner.message_hub.get_info('last_ckpt')

    def _clear(self, runner: Runner, resumed: bool) -> None:
        """Set right what a kill left, or what an earlier training noted."""
        if not resumed:
            Path(runner.work_dir, EVALUATED).unlink(missing_ok=True)
        elif self.last_ckpt is not None and os.path.isfile(self.last_ckpt):
            write_whole(Path(runner.work_dir, NOTE), self.last_ckpt)
        for part in Path(runner.work_dir).glob(f'last_*{PART}'):
            part.unlink()
        if isinstance(self.file_backend, WholeFiles):
            folder = Path(self.out_dir)
            outdated = runner.message_hub.runtime_info.get(OUTDATED, []) if resumed else []
            for file in [*folder.glob(f'*.pth.*{PART}'), *(folder / name for name in outdated)]:
                file.unlink(missing_ok=True)

    def _evaluate_late(self, runner: Runner) -> None:
        """Evaluate now, if the checkpoint was cut off from its evaluation."""
        by_iteration = isinstance(runner.train_loop, IterBasedTrainLoop)
        if self.last_ckpt is None or self.by_epoch == by_iteration:
            return
        name, noted = Path(self.last_ckpt).name, Path(runner.work_dir, EVALUATED)
        late = evaluation_is_due(runner.train_loop) and not (
            noted.is_file() and noted.read_text() == name
        )
        decision = [late]
        broadcast_object_list(decision)  # other machines may not see the folder
        if decision[0]:
            runner.logger.info(f'The evaluation of {name} was not finished; it is done now')
            runner.val_loop.run()


def evaluation_is_due(loop: BaseLoop) -> bool:
    """Whether one of MMEngine's training loops evaluates after the step at which it stands."""
    loop._decide_current_val_interval()
    by_iteration = isinstance(loop, IterBasedTrainLoop)
    now, end = (loop.iter, loop.max_iters) if by_iteration else (loop.epoch, loop.max_epochs)
    on_time = now >= loop.val_begin and (now % loop.val_interval == 0 or now == end)
    return loop.runner.val_loop is not None and on_time
