"""KITTI's label and result files: read and check.

One text file per frame, one object per line, columns parted by blanks (the object devkit's
readme): type, truncated, occluded, alpha, x1 y1 x2 y2, height width length, x y z, rotation_y and,
in result files, a score. Boxes are in pixels of the image, zero-based, y downwards.

Objects of many files are kept flat, in columns: :class:`KittiObjects`.
"""

import importlib
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from .objects import KITTI_TYPES, KittiDataError, KittiObjects
from .rows import Problems, Rows, read_rows

# What stood here before: found by its old place, with a warning, for one release.
_MOVED = {
    **dict.fromkeys(('BOX_TOLERANCE', 'IMAGE_SUFFIXES', 'KittiFrames', 'read_frames'), 'frames'),
    **dict.fromkeys(('MAX_SHOWN_PROBLEMS', 'NEIGHBOURS'), 'objects'),
    **dict.fromkeys(('NUM_LABEL_COLUMNS', 'NUM_RESULT_COLUMNS'), 'rows'),
    'read_split': 'splits',
    'write_results': 'results',
}


def read_objects(
    paths: Sequence[str | Path],
    scored: bool = False,
    known_types: Collection[str] | None = KITTI_TYPES,
    problems: list[str] | None = None,
) -> KittiObjects:
    """Read and check label files (15 columns) or result files (16: with a score).

    A file may be empty; blank lines are skipped. A box without area is read; ``x2 < x1`` is not.

    Args:
        paths: one file per frame; ``frame`` of the result counts them.
        scored: True for result files.
        known_types: types that may occur, spelled like this. With None any may, as for the devkit,
            and those of ``KITTI_TYPES`` in whatever case.
        problems: where to append what is wrong, so that a caller can go on and report everything
            at once; lines with a problem are left out. By default they are raised.

    Raises:
        KittiDataError: unreadable file or one that is not UTF-8, wrong number of columns, something
            that is no number or not finite, unknown type, x2 < x1 or y2 < y1; in labels also
            occluded not in -1..3 and truncated neither -1 nor in [0, 1].
    """
    wrong = Problems(paths)
    rows = read_rows(paths, scored, wrong)
    occluded = rows.numbers[:, 1]
    objects = _to_objects(rows, scored, any_case=known_types is None)
    good = np.ones(len(objects), dtype=bool)
    for bad, message in _value_problems(objects, occluded, known_types):
        good &= ~bad
        for i in np.flatnonzero(bad):
            wrong.add(objects.frame[i], objects.line[i], message(i))
    if problems is not None:
        problems += wrong.in_order()
    elif wrong.found:
        raise KittiDataError(wrong.in_order())
    return objects if good.all() else objects[good]


def _to_objects(rows: Rows, scored: bool, any_case: bool) -> KittiObjects:
    numbers, types = rows.numbers, rows.types
    if any_case and not set(types.tolist()) <= set(KITTI_TYPES):
        spelling = {name.lower(): name for name in KITTI_TYPES}
        types = np.array([spelling.get(name.lower(), name) for name in types.tolist()], dtype=str)
    with np.errstate(invalid='ignore'):  # a number too large is found wrong later
        occluded = numbers[:, 1].astype(np.int64)
    return KittiObjects(
        frame=rows.frame,
        line=rows.line,
        types=types,
        truncated=numbers[:, 0],
        occluded=occluded,
        alpha=numbers[:, 2],
        bbox=numbers[:, 3:7],
        dimensions=numbers[:, 7:10],
        location=numbers[:, 10:13],
        rotation_y=numbers[:, 13],
        score=numbers[:, 14] if scored else None,
    )


def _value_problems(
    objects: KittiObjects, occluded: np.ndarray, known_types: Collection[str] | None
) -> Iterator[tuple[np.ndarray, Callable[[int], str]]]:
    """Pairs of an (N,) mask of bad lines and a function from such a line's index to the message."""
    types, boxes = objects.types, objects.bbox
    if known_types is not None:
        unknown = ~np.isin(types, list(known_types))
        yield unknown, lambda i: f"type '{types[i]}' is unknown; known are {', '.join(known_types)}"
    for axis, name in enumerate('xy'):
        first, last = boxes[:, axis], boxes[:, axis + 2]
        yield (
            last < first,
            lambda i, a=first, b=last, n=name: (
                f'{n}2 = {b[i]:g} is smaller than {n}1 = {a[i]:g}; a box is x1 y1 x2 y2 '
                f'with x1 <= x2 and y1 <= y2, not position and size'
            ),
        )
    if objects.score is not None:  # the other columns of a result mean nothing in 2D
        return
    yield (
        ~np.isin(occluded, (-1, 0, 1, 2, 3)),
        lambda i: f'occluded is {occluded[i]:g}; it must be 0, 1, 2 or 3, or -1 in DontCare lines',
    )
    truncated = objects.truncated
    yield (
        (truncated != -1) & ((truncated < 0) | (truncated > 1)),
        lambda i: f'truncated is {truncated[i]:g}; it must lie in [0, 1], or be -1 for DontCare',
    )


def __getattr__(name: str) -> object:
    if name not in _MOVED:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    module = importlib.import_module(f'.{_MOVED[name]}', __package__)
    warnings.warn(f'{__name__}.{name} is now in {module.__name__}', FutureWarning, stacklevel=2)
    return getattr(module, name)
