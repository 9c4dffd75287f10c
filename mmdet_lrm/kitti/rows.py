"""Lines of KITTI's label and result files to columns of finite numbers."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from ..reading.text import TextError, read_text
from .objects import UNKNOWN_BEFORE_BOX, UNKNOWN_BEHIND_BOX

NUM_LABEL_COLUMNS = 15
NUM_RESULT_COLUMNS = 16
FILES_AT_ONCE = 64  # so that memory holds the text of few files

_TYPE_WIDTH = 16  # longer than KITTI's types
# What stands in for the columns before and behind the box that say nothing.
_MARKS = {
    'before': (b'\1', UNKNOWN_BEFORE_BOX.encode()),
    'behind': (b'\2', UNKNOWN_BEHIND_BOX.encode()),
}
_NUMBER_NAMES = (
    *('truncated', 'occluded', 'alpha', 'x1', 'y1', 'x2', 'y2'),
    *('height', 'width', 'length', 'x', 'y', 'z', 'rotation_y', 'score'),
)


class Problems:
    """What is wrong, by frame and line; line 0 is the file as a whole."""

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self.paths = paths
        self.found: list[tuple[int, int, str]] = []

    def add(self, frame: int, line: int, message: str) -> None:
        place = f'{self.paths[frame]}:{line}' if line else f'{self.paths[frame]}'
        self.found.append((int(frame), int(line), f'{place}: {message}'))

    def in_order(self) -> list[str]:
        return [text for _, _, text in sorted(self.found, key=lambda item: item[:2])]


class Rows(NamedTuple):
    """N lines: their frames, lines and types (N,), and (N, 14) or, scored, (N, 15) numbers."""

    frame: np.ndarray
    line: np.ndarray
    types: np.ndarray
    numbers: np.ndarray

    @classmethod
    def none(cls, scored: bool) -> 'Rows':
        none = np.zeros(0, dtype=np.int64)
        return cls(none, none, none.astype('U1'), np.zeros((0, _num_columns(scored) - 1)))


def _num_columns(scored: bool) -> int:
    return NUM_RESULT_COLUMNS if scored else NUM_LABEL_COLUMNS


def read_rows(paths: Sequence[str | Path], scored: bool, wrong: Problems) -> Rows:
    """The lines of files, one file a frame, that have their number of columns and finite numbers.

    Args:
        paths: the files.
        scored: True for lines with a score.
        wrong: takes unreadable files and the other lines.
    """
    parts = [Rows.none(scored)]
    bar = dict(desc='results' if scored else 'labels', unit='file', delay=1, leave=False)
    with tqdm(total=len(paths), disable=None, **bar) as shown:
        for first_frame in range(0, len(paths), FILES_AT_ONCE):
            some = enumerate(paths[first_frame : first_frame + FILES_AT_ONCE], first_frame)
            texts = {frame: _read(path, frame, wrong) for frame, path in some}
            rows = _plain_rows(texts, scored)
            parts.append(_any_rows(texts, scored, wrong) if rows is None else rows)
            shown.update(len(texts))
    return Rows(*map(np.concatenate, zip(*parts, strict=True)))


def _read(path: str | Path, frame: int, wrong: Problems) -> bytes:
    """The text of a file as UTF-8 with ``\\n`` at the ends of lines."""
    try:
        with open(path, 'rb', buffering=0) as file:
            text = file.read()
        # Nearly all files are like this, and the reader of all kinds takes its time.
        return text if text.isascii() and b'\r' not in text else read_text(path).encode()
    except OSError as error:
        wrong.add(frame, 0, f'cannot be read ({error.strerror}); every frame needs its file')
    except TextError as error:
        wrong.found.append((frame, 0, str(error)))
    return b''


def _plain_rows(texts: dict[int, bytes], scored: bool) -> Rows | None:
    """What :func:`_any_rows` gives for files that are written plainly, many times as fast.

    Returns:
        None where numpy finds anything else than one object a line.
    """
    texts = {frame: text.rstrip() + b'\n' if text.strip() else b'' for frame, text in texts.items()}
    num_lines = np.array([text.count(b'\n') for text in texts.values()])
    text = b''.join(texts.values())
    if not text:
        return Rows.none(scored)
    try:
        types, numbers = (scored and _of_boxes_alone(text)) or _of_all_columns(text, scored)
    except ValueError:
        return None
    # loadtxt skips blank lines and cuts a longer type.
    whole = len(types) == num_lines.sum() and np.char.str_len(types).max() < _TYPE_WIDTH
    if not whole or not np.isfinite(numbers).all():
        return None
    frame = np.repeat(list(texts), num_lines)
    line = np.arange(1, len(frame) + 1) - np.repeat(np.cumsum(num_lines) - num_lines, num_lines)
    return Rows(frame, line, types, numbers)


def _of_all_columns(text: bytes, scored: bool) -> tuple[np.ndarray, np.ndarray]:
    """Types and numbers. Raises ValueError where a line is anything else."""
    table = _load(text, [('numbers', 'f8', _num_columns(scored) - 1)])
    return table['type'], table['numbers']


def _of_boxes_alone(text: bytes) -> tuple[np.ndarray, np.ndarray] | None:
    """As above, of results that leave unknown what a 2D detector does not know; else None."""
    if any(mark in text for mark, _ in _MARKS.values()):
        return None
    for mark, unknown in _MARKS.values():
        text = text.replace(b' %b ' % unknown, b' %b ' % mark)
    columns = [('before', 'S2'), ('box', 'f8', 4), ('behind', 'S2'), ('score', 'f8')]
    try:
        table = _load(text, columns)
    except ValueError:
        return None
    if any((table[name] != mark).any() for name, (mark, _) in _MARKS.items()):
        return None
    before, behind = (
        np.tile(np.array(unknown.split(), dtype=float), (len(table), 1))
        for _, unknown in _MARKS.values()
    )
    return table['type'], np.hstack([before, table['box'], behind, table['score'][:, None]])


def _load(text: bytes, columns: list[tuple]) -> np.ndarray:
    columns = [('type', f'U{_TYPE_WIDTH}'), *columns]
    return np.loadtxt(io.StringIO(text.decode()), dtype=columns, comments=None, ndmin=1)


def _any_rows(texts: dict[int, bytes], scored: bool, wrong: Problems) -> Rows:
    """Rows of any text, by frame; notes the lines that are none."""
    rows, frames, lines = [], [], []
    for frame, text in texts.items():
        for line, text_line in enumerate(text.split(b'\n'), start=1):
            row = text_line.split()
            if len(row) == _num_columns(scored):
                rows.append(row)
                frames.append(frame)
                lines.append(line)
            elif row:
                wrong.add(frame, line, _wrong_columns(len(row), scored))
    numbers = np.array([[_number_or_nan(token) for token in row[1:]] for row in rows])
    numbers = numbers.reshape(-1, _num_columns(scored) - 1)
    is_number = np.isfinite(numbers)
    for i in np.flatnonzero(~is_number.all(axis=1)):
        column = int(np.flatnonzero(~is_number[i])[0])
        value = rows[i][column + 1].decode(errors='replace')
        message = (
            f"{_NUMBER_NAMES[column]} (column {column + 2}) is '{value}'; "
            'it must be a finite number'
        )
        wrong.add(frames[i], lines[i], message)
    types = np.array([row[0].decode() for row in rows], dtype=str)
    found = Rows(np.array(frames, np.int64), np.array(lines, np.int64), types, numbers)
    return Rows(*(column[is_number.all(axis=1)] for column in found))


def _number_or_nan(token: bytes) -> float:
    # Python's float takes 1_000 for a number; no writer of KITTI files means that.
    try:
        return float('nan') if b'_' in token else float(token)
    except ValueError:
        return float('nan')


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
