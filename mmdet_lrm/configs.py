"""What config files take of this package: where the shipped ones lie, and lists made anew.

In a config that inherits, a dict is merged into the base's, and a list takes its place.
"""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import UserError

PACKAGE = Path(__file__).parent


class UnknownConfigError(UserError):
    """No shipped config has the name that was asked for."""


def config(name: str) -> str:
    """Path of a config that came with this package, to load or to inherit from.

    In a config file MMEngine evaluates ``_base_`` before anything is imported, and reads
    ``package::file`` for OpenMMLab's packages alone; so one of yours inherits by
    ``_base_ = __import__('mmdet_lrm').config('yolov2_kitti.py')``.

    Args:
        name: Of the file, with or without '.py', such as 'yolov2_kitti'; or one in a folder, such
            as '_base_/datasets/kitti'.

    Raises:
        UnknownConfigError: There is no such config; the message has names like it.
    """
    # What a wheel and an editable installation hold; a checkout that is not installed has none.
    folder = PACKAGE / '.mim' / 'configs'
    if not folder.is_dir():
        folder = PACKAGE.parent / 'configs'
    file = folder / f'{name.removesuffix(".py")}.py'
    if file.is_file():
        return str(file)
    names = [path.stem for path in folder.glob('*.py')]
    near = difflib.get_close_matches(file.stem, names, n=3) or sorted(names)
    raise UnknownConfigError(
        f"mmdet_lrm has no config '{name}' in {folder}; names like it: {', '.join(near)}"
    )


def resized(pipeline: Sequence[Mapping], scale: tuple[int, int]) -> list[dict]:
    """A copy of the pipeline in which every step that names a ``scale`` has this one.

    For a config of another input size than its base:
    ``train_pipeline = resized(_base_.train_pipeline, (640, 192))``.

    Args:
        scale: Width and height of the input, in pixels.
    """
    return [{**step, 'scale': scale} if 'scale' in step else {**step} for step in pipeline]


def pipeline_of(loader: Mapping | None) -> list[dict]:
    """The steps of a loader's data set, whatever wraps it; none of no loader."""
    node = loader
    while node and 'pipeline' not in node:
        node = node.get('dataset')
    return list(node['pipeline']) if node else []


def with_pipeline(pipeline: Sequence[Mapping], *datasets: Mapping) -> list[dict]:
    """Data sets that all have this pipeline, to be joined by ConcatDataset."""
    return [dict(pipeline=pipeline, **each) for each in datasets]


def lengthened(schedule: Sequence[Mapping], old: int, new: int) -> list[dict]:
    """A copy of the ``param_scheduler`` of ``old`` epochs for ``new`` ones.

    Parts that end with the training by epoch still do, and T_max, which counts from where a part
    begins, is as much longer; all others stay. A part begins with the last epoch at the latest.
    """
    found = []
    for each in schedule:
        part = dict(each)
        if each.get('end') == old and each.get('by_epoch', True):
            late = max(0, each.get('begin', 0) - (new - 1))
            part['end'] = new
            if late:
                part['begin'] -= late
            if 'T_max' in each:
                part['T_max'] += new - old + late
        found.append(part)
    return found
