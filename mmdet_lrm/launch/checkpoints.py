"""Checkpoints are read without running what is in them, unless they are trusted.

A pickle can name any function and have it called. torch refuses that with ``weights_only=True``;
yet onedl-mmengine falls back to unpickling, and ``torch.hub``, by which both stacks load from an
address, does not ask for it. Hence the variables of torch's own, which decide for every caller.
"""

import os
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from ..errors import LaunchError

PROTECTED, TRUSTED = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'


def protect_checkpoints(trust: bool = False) -> None:
    """Let each ``torch.load``, here and in processes begun here, take weights only, or anything."""
    chosen, other = (TRUSTED, PROTECTED) if trust else (PROTECTED, TRUSTED)
    os.environ[chosen] = '1'
    os.environ.pop(other, None)
    allow_mmengine_checkpoints()


def allow_mmengine_checkpoints() -> None:
    """Let ``weights_only`` include a run's history, which MMEngine keeps beside the weights."""
    core = getattr(np, '_core', None) or np.core  # numpy 2 and 1
    array = [core.multiarray._reconstruct, core.multiarray.scalar, np.ndarray, np.dtype]
    dtypes = [type(np.dtype(kind)) for kind in ('float64', 'int64', 'uint32')]
    method = (history_method, 'builtins.getattr')
    torch.serialization.add_safe_globals([HistoryBuffer, method, *array, *dtypes])


def history_method(owner: type, name: str) -> Callable:
    """Stands in for getattr, by which a HistoryBuffer names its own methods, and for that only."""
    if owner is not HistoryBuffer or name.startswith('_'):
        raise ValueError(f'a checkpoint asks for {owner}.{name}; it is not one of MMEngine')
    return getattr(owner, name)


def load_checkpoint(path: str | Path) -> object:
    """What torch saved in a file, on the CPU; mapped into memory, so that a look costs little.

    Raises:
        LaunchError: it is none, is damaged, or holds more than weights and is not trusted.
    """
    trusted = TRUSTED in os.environ
    allow_mmengine_checkpoints()
    if not Path(path).is_file():
        raise LaunchError(f"the checkpoint '{path}' is not a file (from {Path.cwd()})")
    mapped = zipfile.is_zipfile(path)  # not so before torch 1.6
    try:
        return torch.load(path, map_location='cpu', weights_only=not trusted, mmap=mapped)
    except Exception as error:  # what an unpickler raises of a damaged file has no end
        raise LaunchError(unreadable(f"'{path}'", error)) from error


def require_checkpoint(path: str | Path) -> None:
    """Refuse early what loading it would refuse; code that is trusted runs then, and not here."""
    if TRUSTED not in os.environ:
        load_checkpoint(path)


def unreadable(what: str, error: Exception) -> str:
    """Why torch did not load a checkpoint: its own messages have a dozen lines."""
    if named := re.findall(r'GLOBAL (\S+)', str(error)):
        return (
            f'{what} holds {", ".join(dict.fromkeys(named))} beside weights, which loading it '
            'would run; it was not loaded. If you trust who made it, --trust-checkpoint loads it, '
            'and so runs all that is in it'
        )
    reasons = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, pickle.UnpicklingError):
        reasons = [line for line in reasons if line.startswith('Unsupported')]
    reason = f'{type(error).__name__}: {reasons[0]}' if reasons else type(error).__name__
    return f'{what} cannot be read as a checkpoint of PyTorch ({reason}); it may be damaged'
