"""One process at a time in a folder."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from mmengine.dist import is_main_process

from ..errors import LaunchError


@contextlib.contextmanager
def locked(file: str | Path) -> Iterator[None]:
    """Hold a lock, a file with this process's id, which the system frees when the process ends.

    So what a process that was killed has left is taken over. The lock belongs to the process, not
    to the workers that it forks, which outlive it by seconds; threads of it do not exclude each
    other.

    Raises:
        LaunchError: another process holds it.
    """
    file = Path(file)
    with open(file, 'a+') as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            lock.seek(0)
            raise LaunchError(
                f"'{file.parent}' is in use by process {lock.read().strip() or 'unknown'}, and two "
                'would mix their files. Wait until it ends, or name another folder'
            ) from error
        lock.truncate(0)
        lock.write(f'{os.getpid()}\n')
        lock.flush()
        yield


def lock_run(work_dir: str | Path) -> contextlib.AbstractContextManager:
    """The lock of a training's folder, which the first of its processes holds."""
    return (
        locked(Path(work_dir, 'training.lock')) if is_main_process() else contextlib.nullcontext()
    )
