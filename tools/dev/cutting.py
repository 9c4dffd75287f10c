"""Processes in which a training is cut off."""

import builtins
import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

FILES = ('.pth', '.part', 'last_checkpoint', 'last_evaluation')


def in_child(function: Callable, *args: object, log: Path) -> int:
    """Call in a process of its own: 0, 1 if it raised, or less than 0, the signal that ended it."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    # The threads of the parent's pool are not in the child, which would wait for them.
    torch.set_num_threads(1)
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


def cut_at(number: int, full_disk: bool = False) -> Callable[[Runner], Cut]:
    """Cuts off what a runner is about to train."""
    return lambda runner: Cut(number, full_disk)


class Killing(Hook):
    """Ends the process in the numbered call of one of a hook's methods."""

    priority = 'LOWEST'

    def __init__(self, method: str, number: int) -> None:
        self.left = number
        setattr(self, method, self.count)

    def count(self, runner: Runner, *args: object, **options: object) -> None:
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_in(method: str, number: int) -> Callable[[Runner], None]:
    return lambda runner: runner.register_hook(Killing(method, number))


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
