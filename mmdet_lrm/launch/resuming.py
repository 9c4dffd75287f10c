"""From which checkpoint of a work folder a training goes on."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from ..errors import LaunchError
from ..training.checkpoints import NOTE
from .checkpoints import load_checkpoint


@dataclass(frozen=True)
class Start:
    """``checkpoint`` is None where a training begins anew; ``passed_over`` has a reason each."""

    checkpoint: Path | None
    passed_over: list[str]

    def __str__(self) -> str:
        begun = self.checkpoint.name if self.checkpoint else 'the beginning, there is no checkpoint'
        passed = f'; passed over: {"; ".join(self.passed_over)}' if self.passed_over else ''
        return f'--resume: goes on from {begun}{passed}'


def choose_start(cfg: Config) -> Path | None:
    """The newest checkpoint of a run's folder, said in a line by its first process."""
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    work_dir = Path(cfg.work_dir)
    folder = Path(hook['out_dir'], work_dir.name) if hook.get('out_dir') else work_dir
    start = newest_checkpoint(folder, work_dir / NOTE)
    if int(os.environ.get('RANK', 0)) == 0:
        print(start, flush=True)
    return start.checkpoint


def newest_checkpoint(folder: Path, note: Path) -> Start:
    """The checkpoint written last, by its own clock, of those that are whole.

    Copying or moving a folder changes the times of files, and leaves a note that names the folder
    where it was written; neither matters here. Best checkpoints hold no state of the optimizer.

    Raises:
        LaunchError: there are checkpoints, and none of them can be read.
    """
    found, passed_over = {}, []
    for path in sorted(folder.glob('*.pth')):
        if not path.name.startswith('best_'):
            try:
                if written := when_written(load_checkpoint(path)):
                    found[written] = path
            except LaunchError as error:
                passed_over.append(str(error))
    newest = None
    for written in sorted(found, reverse=True):
        try:
            require_whole(found[written])
            newest = found[written]
            break
        except LaunchError as error:
            passed_over.append(str(error))
    if passed_over and not newest:
        raise LaunchError(
            f'--resume finds no whole checkpoint in {folder}: {"; ".join(passed_over)}. '
            'Remove it to begin anew'
        )
    return Start(newest, [*passed_over, *stale(note, folder)])


def when_written(content: object) -> tuple[str, int] | None:
    """The time and the iteration of a training's checkpoint; None of any other file."""
    meta = content.get('meta') if isinstance(content, dict) else None
    if not isinstance(meta, dict) or 'message_hub' not in content:
        return None
    return (meta['time'], meta['iter']) if {'epoch', 'iter', 'time'} <= set(meta) else None


def require_whole(path: Path) -> None:
    """Each tensor of a checkpoint has the sum that was written with it."""
    if not zipfile.is_zipfile(path):  # not so before torch 1.6
        return
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise LaunchError(f"'{path}' is damaged, in {damaged}")


def stale(note: Path, folder: Path) -> list[str]:
    """What MMEngine's note says that is not so; an old one beside a newer file is no fault."""
    if not note.is_file():
        return []
    named = Path(note.read_text(errors='replace').strip())
    if not named.name:
        return [f'{NOTE} is empty']
    if named.parent.resolve() != folder.resolve():
        return [f'{NOTE} names {named}, in another folder']
    return [] if (folder / named.name).is_file() else [f'{NOTE} names {named.name}, which is gone']
