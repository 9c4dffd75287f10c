"""KITTI's label and result files: read and check.

One text file per frame, one object per line, columns parted by blanks (the object devkit's
readme): type, truncated, occluded, alpha, x1 y1 x2 y2, height width length, x y z, rotation_y and,
in result files, a score. Boxes are in pixels of the image, zero-based, y downwards.

Objects of many files are kept flat, in columns: :class:`KittiObjects`.
"""

from collections.abc import Collection, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from .objects import KITTI_TYPES, KittiDataError, KittiObjects

NUM_LABEL_COLUMNS = 15
NUM_RESULT_COLUMNS = 16

_NUMBER_NAMES = (
    *('truncated', 'occluded', 'alpha', 'x1', 'y1', 'x2', 'y2'),
    *('height', 'width', 'length', 'x', 'y', 'z', 'rotation_y', 'score'),
)


def read_objects(
    paths: Sequence[str | Path],
    scored: bool = False,
    known_types: Collection[str] = KITTI_TYPES,
    problems: list[str] | None = None,
) -> KittiObjects:
    """Read and check label files (15 columns) or result files (16: with a score).

    A file may be empty; blank lines are skipped. A box without area is read; ``x2 < x1`` is not.

    Args:
        paths: one file per frame; ``frame`` of the result counts them.
        scored: True for result files.
        known_types: types that may occur.
        problems: where to append what is wrong, so that a caller can go on and report everything
            at once; lines with a problem are left out. By default they are raised.

    Raises:
        KittiDataError: unreadable file, wrong number of columns, something that is no number or
            not finite, unknown type, x2 < x1 or y2 < y1; in labels also occluded not in -1..3 and
            truncated neither -1 nor in [0, 1].
    """
    num_columns = NUM_RESULT_COLUMNS if scored else NUM_LABEL_COLUMNS
    wrong: list[tuple[int, int, str]] = []
    rows, frames, lines = [], [], []
    has_underscore = False
    for frame, path in enumerate(paths):
        try:
            with open(path, 'rb', buffering=0) as file:
                text = file.read()
        except OSError as error:
            wrong.append(
                (frame, 0, f'cannot be read ({error.strerror}); every frame needs its file')
            )
            continue
        # Python's float takes 1_000 for a number; no writer of KITTI files means that.
        has_underscore |= b'_' in text and b'_' in text.replace(b'Person_sitting', b'')
        for line, text_line in enumerate(text.split(b'\n'), start=1):
            row = text_line.split()
            if len(row) == num_columns:
                rows.append(row)
                frames.append(frame)
                lines.append(line)
            elif row:
                wrong.append((frame, line, _wrong_columns(len(row), scored)))

    numbers, is_number = _to_numbers(rows, num_columns - 1, has_underscore)
    for i in np.flatnonzero(~is_number.all(axis=1)):
        column = int(np.flatnonzero(~is_number[i])[0])
        value = rows[i][column + 1].decode(errors='replace')
        message = (
            f"{_NUMBER_NAMES[column]} (column {column + 2}) is '{value}'; "
            'it must be a finite number'
        )
        wrong.append((frames[i], lines[i], message))

    m = numbers
    with np.errstate(invalid='ignore'):
        occluded = m[:, 1].astype(np.int64)
    objects = KittiObjects(
        frame=np.array(frames, dtype=np.int64),
        line=np.array(lines, dtype=np.int64),
        types=np.array([row[0].decode(errors='replace') for row in rows], dtype=str),
        truncated=m[:, 0],
        occluded=occluded,
        alpha=m[:, 2],
        bbox=m[:, 3:7],
        dimensions=m[:, 7:10],
        location=m[:, 10:13],
        rotation_y=m[:, 13],
        score=m[:, 14] if scored else None,
    )
    good = is_number.all(axis=1)
    for bad, message in _value_problems(objects, m[:, 1], known_types):
        bad = bad & is_number.all(axis=1)
        good &= ~bad
        wrong += [(frames[i], lines[i], message(i)) for i in np.flatnonzero(bad)]

    found = [
        f'{paths[frame]}:{line}: {message}' if line else f'{paths[frame]}: {message}'
        for frame, line, message in sorted(wrong, key=lambda item: item[:2])
    ]
    if problems is not None:
        problems += found
    elif found:
        raise KittiDataError(found)
    return objects if good.all() else objects[good]


def _wrong_columns(num: int, scored: bool) -> str:
    if scored:
        hint = ' This looks like a label without a score' if num == NUM_LABEL_COLUMNS else ''
        return (
            f'{num} columns; a line of results has {NUM_RESULT_COLUMNS}, the last its score.{hint}'
        )
    hint = ' This looks like a result with its score' if num == NUM_RESULT_COLUMNS else ''
    return (
        f'{num} columns; a line of labels has {NUM_LABEL_COLUMNS}, from type to rotation_y.{hint}'
    )


def _to_numbers(
    rows: list[list[bytes]], num_columns: int, has_underscore: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of all rows, and where they are finite numbers: twice (N, num_columns)."""
    tokens = list(chain.from_iterable(row[1:] for row in rows))
    try:
        values = list(map(_number_or_nan if has_underscore else float, tokens))
    except ValueError:
        values = list(map(_number_or_nan, tokens))
    numbers = np.array(values, dtype=np.float64).reshape(-1, num_columns)
    return numbers, np.isfinite(numbers)


def _number_or_nan(token: bytes) -> float:
    try:
        return float('nan') if b'_' in token else float(token)
    except ValueError:
        return float('nan')


def _value_problems(objects: KittiObjects, occluded: np.ndarray, known_types: Collection[str]):
    """Pairs of an (N,) mask of bad lines and a function from such a line's index to the message."""
    types, boxes = objects.types, objects.bbox
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
