"""KITTI's label and result files: read, check, write; numpy and Pillow only.

One text file per frame, one object per line, columns parted by blanks (the object devkit's
readme): type, truncated, occluded, alpha, x1 y1 x2 y2, height width length, x y z, rotation_y and,
in result files, a score. Boxes are in pixels of the image, zero-based, y downwards.

Objects of many files are kept flat, in columns: :class:`KittiObjects`.
"""

import os
import re
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

KITTI_TYPES = (
    'Car',
    'Van',
    'Truck',
    'Pedestrian',
    'Person_sitting',
    'Cyclist',
    'Tram',
    'Misc',
    'DontCare',
)
# A detector of the class is neither right nor wrong on its neighbour.
NEIGHBOURS = {'Car': 'Van', 'Pedestrian': 'Person_sitting'}
IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg')
# Pixels by which a box may leave [0, width] x [0, height] and is clipped. None of the 51,865
# official boxes does: they end at width - 1, height - 1. Labels converted from whole or one-based
# pixels leave the image by up to one.
BOX_TOLERANCE = 1.0
NUM_LABEL_COLUMNS = 15
NUM_RESULT_COLUMNS = 16
MAX_SHOWN_PROBLEMS = 20

_NUMBER_NAMES = (
    *('truncated', 'occluded', 'alpha', 'x1', 'y1', 'x2', 'y2'),
    *('height', 'width', 'length', 'x', 'y', 'z', 'rotation_y', 'score'),
)
_FRAME_ID = re.compile(r'[\w-]+', re.ASCII)


class KittiDataError(ValueError):
    """All that is wrong with a set of files, at once.

    The message has the number of problems and the first ``MAX_SHOWN_PROBLEMS`` of them.

    Attributes:
        problems: every problem, one line of text each, beginning with the file and, where there
            is one, the line: ``label_2/000001.txt:3: ...``.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        num = len(self.problems)
        text = [f'{num} problem{"s" if num > 1 else ""} in the KITTI files:']
        text += self.problems[:MAX_SHOWN_PROBLEMS]
        if num > MAX_SHOWN_PROBLEMS:
            text.append(
                f'... and {num - MAX_SHOWN_PROBLEMS} more; '
                'the attribute `problems` of this exception has all'
            )
        super().__init__('\n'.join(text))


@dataclass(frozen=True, eq=False)
class KittiObjects:
    """N objects of any number of frames, in columns, sorted by frame, then by line.

    Attributes:
        frame: (N,) int, index of the object's frame in the list of files that was read.
        line: (N,) int, line in its file, from 1; 0 for objects that were never in a file.
        types: (N,) str.
        truncated: (N,) share outside the image in [0, 1], or -1 for unknown.
        occluded: (N,) int, 0 visible, 1 partly, 2 largely occluded, 3 unknown, or -1.
        alpha: (N,) observation angle in [-pi, pi], or -10 for unknown.
        bbox: (N, 4) x1, y1, x2, y2 in pixels.
        dimensions: (N, 3) height, width, length in metres, or -1.
        location: (N, 3) x, y, z in camera coordinates in metres, or -1000.
        rotation_y: (N,) in [-pi, pi], or -10 for unknown.
        score: (N,), or None for labels.
    """

    frame: np.ndarray
    line: np.ndarray
    types: np.ndarray
    truncated: np.ndarray
    occluded: np.ndarray
    alpha: np.ndarray
    bbox: np.ndarray
    dimensions: np.ndarray
    location: np.ndarray
    rotation_y: np.ndarray
    score: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, inds: np.ndarray | slice) -> 'KittiObjects':
        """The objects that a slice, a mask or integers select, as a new set of columns."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return KittiObjects(
            **{name: None if column is None else column[inds] for name, column in columns.items()}
        )

    @classmethod
    def from_detections(
        cls, frame: np.ndarray, types: np.ndarray, bbox: np.ndarray, score: np.ndarray
    ) -> 'KittiObjects':
        """Detections that were never in a file; what a 2D detector does not know is unknown.

        Args:
            frame: (N,) int, ascending.
            types: (N,) str.
            bbox: (N, 4) x1, y1, x2, y2 in pixels.
            score: (N,).

        Raises:
            ValueError: a box or score that is not finite.
        """
        num = len(frame)
        _check_finite(bbox, score)
        return cls(
            frame=np.asarray(frame, dtype=np.int64),
            line=np.zeros(num, dtype=np.int64),
            types=np.asarray(types, dtype=str),
            truncated=np.full(num, -1.0),
            occluded=np.full(num, -1),
            alpha=np.full(num, -10.0),
            bbox=np.asarray(bbox, dtype=np.float64).reshape(-1, 4),
            dimensions=np.full((num, 3), -1.0),
            location=np.full((num, 3), -1000.0),
            rotation_y=np.full(num, -10.0),
            score=np.asarray(score, dtype=np.float64),
        )

    @property
    def height(self) -> np.ndarray:
        """(N,) heights of the boxes in pixels."""
        return self.bbox[:, 3] - self.bbox[:, 1]

    @property
    def width(self) -> np.ndarray:
        """(N,) widths of the boxes in pixels."""
        return self.bbox[:, 2] - self.bbox[:, 0]


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


def write_results(
    path: str | Path, types: Sequence[str], bbox: np.ndarray, score: np.ndarray
) -> None:
    """Write one frame's detections in the format of a submission to KITTI's 2D benchmark.

    Numbers have nine digits, so that float32 values are read back exactly. A frame without
    detections gets an empty file, as the devkit expects. The file appears complete or not at all.

    Args:
        path: the frame's file, ``000123.txt``; its folder must exist.
        types: N types, one word each.
        bbox: (N, 4) x1, y1, x2, y2 in pixels of the original image.
        score: (N,), higher is more certain.

    Raises:
        ValueError: numbers of types, boxes and scores that differ; a value that is not finite.
    """
    path = Path(path)
    if not len(types) == len(bbox) == len(score):
        raise ValueError(
            f'{path.name}: {len(types)} types, {len(bbox)} boxes and {len(score)} scores; '
            'every detection needs one of each'
        )
    _check_finite(bbox, score)
    text = ''.join(
        f'{kind} -1 -1 -10 {x1:.9g} {y1:.9g} {x2:.9g} {y2:.9g} '
        f'-1 -1 -1 -1000 -1000 -1000 -10 {value:.9g}\n'
        for kind, (x1, y1, x2, y2), value in zip(types, bbox, score, strict=True)
    )
    part = path.with_name(f'.{path.name}.part')
    try:
        part.write_text(text)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _check_finite(bbox: np.ndarray, score: np.ndarray) -> None:
    for name, values in (('boxes', bbox), ('scores', score)):
        num = int((~np.isfinite(np.asarray(values, dtype=np.float64))).sum())
        if num:
            raise ValueError(
                f'the {name} of the detections have {num} values that are not finite; the model '
                'that made them has diverged, or its checkpoint is damaged'
            )


def read_split(path: str | Path, problems: list[str] | None = None) -> dict[str, int]:
    """Read a split list, one frame id such as ``000123`` per line; blank lines are skipped.

    Args:
        path: the list.
        problems: where to append what is wrong instead of raising it.

    Returns:
        The line, from 1, of every frame id, in the order of the list.

    Raises:
        KittiDataError: a line that is no id, an id twice, or a list without any.
    """
    frames: dict[str, int] = {}
    found = []
    for line, text in enumerate(Path(path).read_text(errors='replace').split('\n'), start=1):
        frame_id = text.strip()
        if not frame_id:
            continue
        if not _FRAME_ID.fullmatch(frame_id):
            found.append(
                f"{path}:{line}: '{frame_id}' is no frame id; a line holds one id such as 000123, "
                'without folder and file ending'
            )
        elif frame_id in frames:
            found.append(
                f'{path}:{line}: {frame_id} stands in line {frames[frame_id]} already; remove one'
            )
        else:
            frames[frame_id] = line
    if not frames and not found:
        found.append(f'{path}: the split is empty; it needs at least one frame id per line')
    if problems is not None:
        problems += found
    elif found:
        raise KittiDataError(found)
    return frames


@dataclass(frozen=True, eq=False)
class KittiFrames:
    """F frames of a split with their labels.

    Attributes:
        frame_ids: F strings, ``'000123'``.
        image_paths: F paths.
        image_sizes: (F, 2) int, width and height in pixels.
        objects: labels with boxes inside their images; empty if there are no labels.
        bbox: (N, 4) the objects' boxes as they stand in the files.
        num_clipped: number of boxes that left their image by at most ``BOX_TOLERANCE``.
    """

    frame_ids: list[str]
    image_paths: list[str]
    image_sizes: np.ndarray
    objects: KittiObjects
    bbox: np.ndarray
    num_clipped: int


def read_frames(
    split: str | Path,
    image_dir: str | Path,
    label_dir: str | Path | None,
    known_types: Collection[str] = KITTI_TYPES,
) -> KittiFrames:
    """Read the frames of a split: find the images, read their sizes, read and check the labels.

    Boxes that leave their image by at most ``BOX_TOLERANCE`` pixels are clipped.

    Args:
        split: list of frame ids.
        image_dir: folder of ``000123.png`` (or jpg; of two the png is taken).
        label_dir: folder of ``000123.txt``, or None for frames without labels.
        known_types: types that may occur in the labels.

    Raises:
        FileNotFoundError: the list or a folder is not there.
        KittiDataError: everything that :func:`read_split` and :func:`read_objects` find, missing
            and unreadable images, missing labels and boxes outside of their image, all at once.
    """
    problems: list[str] = []
    lines = read_split(split, problems)
    image_names = set(os.listdir(image_dir))
    label_names = set() if label_dir is None else set(os.listdir(label_dir))

    frame_ids = list(lines)
    image_paths, label_paths, labelled = [], [], []
    for frame, (frame_id, line) in enumerate(lines.items()):
        names = [frame_id + suffix for suffix in IMAGE_SUFFIXES]
        name = next((name for name in names if name in image_names), None)
        image_paths.append(None if name is None else os.path.join(image_dir, name))
        if name is None:
            problems.append(
                f'{split}:{line}: frame {frame_id} has no image {" or ".join(names[:2])} in '
                f'{image_dir}; add the image or remove the line'
            )
        if f'{frame_id}.txt' in label_names:
            label_paths.append(os.path.join(label_dir, f'{frame_id}.txt'))
            labelled.append(frame)
        elif label_dir is not None:
            problems.append(
                f'{split}:{line}: frame {frame_id} has no label file {frame_id}.txt in '
                f'{label_dir}; add it (empty if nothing is there) or remove the line'
            )

    image_sizes = _read_image_sizes(image_paths, problems)
    objects = read_objects(label_paths, known_types=known_types, problems=problems)
    bbox = objects.bbox
    objects, num_clipped = _clip(objects, image_sizes[labelled], label_paths, problems)
    if problems:
        raise KittiDataError(problems)
    # Without problems every frame, or none, has labels, so `frame` counts the split's frames.
    return KittiFrames(frame_ids, image_paths, image_sizes, objects, bbox, num_clipped)


def _read_image_sizes(paths: Sequence[str | None], problems: list[str]) -> np.ndarray:
    """(F, 2) int widths and heights from the files' headers; 0, 0 where there is none to read."""

    def size(path: str | None) -> tuple[int, int] | str:
        if path is None:
            return 0, 0
        try:
            with Image.open(path) as image:
                return image.size
        except (OSError, Image.DecompressionBombError) as error:
            return f'{path}: no readable png or jpg image ({error}); replace the file'

    # Opening thousands of files waits for the disk, hence more threads than cores.
    with ThreadPoolExecutor(max_workers=8) as pool:
        sizes = list(pool.map(size, paths, chunksize=64))
    problems += [item for item in sizes if isinstance(item, str)]
    sizes = [(0, 0) if isinstance(item, str) else item for item in sizes]
    return np.array(sizes, dtype=np.int64).reshape(-1, 2)


def _clip(
    objects: KittiObjects, image_sizes: np.ndarray, paths: Sequence[str], problems: list[str]
) -> tuple[KittiObjects, int]:
    """Clip boxes to [0, width] x [0, height]; report those that leave it by more than rounding."""
    if not len(objects):
        return objects, 0
    high = np.tile(image_sizes, 2)[objects.frame].astype(np.float64)
    has_image = high[:, 0] > 0
    inside = np.clip(objects.bbox, 0, high)
    excess = np.abs(objects.bbox - inside).max(axis=1)
    for i in np.flatnonzero((excess > BOX_TOLERANCE) & has_image):
        width, height = image_sizes[objects.frame[i]]
        box = ' '.join(f'{value:.2f}' for value in objects.bbox[i])
        problems.append(
            f'{paths[objects.frame[i]]}:{objects.line[i]}: the box {box} leaves its image of '
            f'{width} x {height} by {excess[i]:.2f} px; at most {BOX_TOLERANCE:g} is clipped as '
            'rounding. Is it the label of another image?'
        )
    return replace(objects, bbox=inside), int(((excess > 0) & has_image).sum())
