"""A checkpoint of PyTorch's, of which nothing is run."""

import pickle
import re
import struct
from pathlib import Path

import torch

from ..launch import allow_mmengine_checkpoints
from .cfg import DarknetError
from .weights import Header

# What torch.load raises, beside UnpicklingError, on files that are no checkpoints.
BROKEN = (
    *(RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError),
    *(AssertionError, struct.error),
)


def read_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Its parameters by name, and what it has under ``meta``.

    Raises:
        DarknetError: the file is missing, no checkpoint, or holds what only code of its own could
            make.
    """
    allow_mmengine_checkpoints()
    try:
        loaded = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        held = re.search(r'(?:GLOBAL|global:?) [`\'"]?([\w.]+)', str(error))
        if held is None:
            raise DarknetError(f'{path} is no whole checkpoint of PyTorch') from error
        raise DarknetError(
            f'{path} holds {held[1]}, for which code would run that the file names; only tensors '
            f'and what MMEngine keeps beside them are read. Save its state_dict by itself'
        ) from error
    except OSError as error:
        raise DarknetError(f'{path} cannot be read: {error}') from error
    except BROKEN as error:
        raise DarknetError(f'{path} is no whole checkpoint of PyTorch') from error
    state = loaded.get('state_dict', loaded) if isinstance(loaded, dict) else loaded
    if not isinstance(state, dict) or not all(map(torch.is_tensor, state.values())):
        raise DarknetError(f'{path} holds a {type(loaded).__name__}, and no state_dict of tensors')
    meta = loaded.get('meta')
    return state, meta if isinstance(meta, dict) else {}


def header_of(state: dict[str, torch.Tensor], meta: dict) -> Header:
    """Of the ``.weights`` that the network came from, with the images that it has seen since."""
    given = meta.get('darknet_header', ())
    whole = isinstance(given, tuple) and all(isinstance(each, int) for each in given)
    header = Header(*given) if whole and len(given) == len(Header._fields) else Header()
    seen = state.get('bbox_head.images_seen')
    return header if seen is None else header._replace(seen=int(seen))
