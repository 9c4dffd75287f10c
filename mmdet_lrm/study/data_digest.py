"""Whether trainings had the same data: a digest of what trains, and of what is evaluated.

Truths are those that mmdet's datasets hand out, whatever the format of their files; what a dataset
leaves out does not count. Images are known by name and size: to read all of COCO would take long.
"""

import inspect
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from numbers import Real
from pathlib import Path

import numpy as np
from mmdet.registry import DATASETS
from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset
from mmengine.registry import DefaultScope

from ..errors import UserError
from ..launch.annotations import READING_ERRORS
from ..launch.nodes import nodes
from .fairness import StudyError

LOADERS = ('train_dataloader', 'val_dataloader')


def digests(configs: Sequence[Config]) -> list[str]:
    """The :func:`digest` of each, read once for all that name the same data."""
    names = [repr(sources(config)) for config in configs]
    of_name = dict(zip(names, configs, strict=True))
    found = {name: digest(config) for name, config in of_name.items()}
    return [found[name] for name in names]


def digest(config: Config) -> str:
    """Of the images and truths of all datasets, 16 hex digits; '' of a config without any.

    The folders that they lie in do not count, and their order does: it is that of a training.

    Raises:
        UserError: files are missing, or cannot be read.
    """
    parts, files = sources(config)
    if not parts:
        return ''
    state = sha256()
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmdet')):
        for loader, part in parts:
            try:
                for row in (loader, *described(part)):
                    state.update(json.dumps(row, sort_keys=True).encode() + b'\n')
            except UserError:  # which may be a ValueError too, and says enough
                raise
            except READING_ERRORS as error:
                raise StudyError(
                    f'{part.type} of {loader} cannot be read: {type(error).__name__}: {error}'
                ) from error
    for file in files:
        state.update(sha256(Path(file).read_bytes()).digest())
    return state.hexdigest()[:16]


def sources(config: Config) -> tuple[list[tuple[str, ConfigDict]], list[str]]:
    """The datasets inside of all wrappers, each with its loader and without its pipeline; and the
    local files that evaluators read truths from themselves, as COCO's does."""
    parts = [
        (loader, ConfigDict(node, pipeline=[]))
        for loader in LOADERS
        for key, node in nodes(config.get(loader) or {})
        if 'pipeline' not in key.split('.') and is_dataset(node)
    ]
    files = [str(node.get('ann_file')) for _, node in nodes(config.get('val_evaluator') or {})]
    return parts, [file for file in files if os.path.isfile(file)]


def is_dataset(node: Mapping) -> bool:
    """Whether a node of a config is a dataset that reads files, which a wrapper does not."""
    kind = node.get('type')
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    return 'data_root' in node or (inspect.isclass(kind) and issubclass(kind, BaseDataset))


def described(part: ConfigDict) -> Iterator[list]:
    """Of a dataset its classes; then of each image its name, bytes and truths."""
    dataset = DATASETS.build(part)
    yield list(dataset.metainfo.get('classes', ()))
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        path = info['img_path']
        size = None if '://' in path else os.stat(path).st_size
        yield [Path(path).name, size, [truth(each) for each in info.get('instances', ())]]


def truth(instance: Mapping) -> dict[str, object]:
    """The box, and all single numbers: label, whether it is ignored, KITTI's occlusion."""
    numbers = {key: float(value) for key, value in instance.items() if isinstance(value, Real)}
    return numbers | dict(bbox=np.ravel(instance['bbox']).astype(float).tolist())
