"""The frames of a split: their list, the images' sizes, the labels, checked against each other."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import numpy as np

from ..reading.image_size import image_sizes
from .labels import read_objects
from .objects import KITTI_TYPES, KittiDataError, KittiObjects
from .splits import is_data, read_split

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg')
# Pixels by which a box may leave [0, width] x [0, height] and is clipped. None of the 51,865
# official boxes does: they end at width - 1, height - 1. Labels converted from whole or one-based
# pixels leave the image by up to one.
BOX_TOLERANCE = 1.0


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


def images_by_frame(folder: str | PathLike) -> dict[str, str]:
    """Name of the image of each frame id; of several the first by ``IMAGE_SUFFIXES``."""
    names: dict[str, str] = {}
    for suffix in IMAGE_SUFFIXES:
        # Lower case comes first, so that what was found before there were capitals is found still.
        for name in sorted(os.listdir(folder), reverse=True):
            stem, end = os.path.splitext(name)
            if end.lower() == suffix and is_data(name):
                names.setdefault(stem, name)
    return names


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
        image_dir: folder of ``000123.png`` (or jpg, in either case; of two the png is taken).
        label_dir: folder of ``000123.txt``, or None for frames without labels.
        known_types: types that may occur in the labels.

    Raises:
        FileNotFoundError: the list or a folder is not there.
        KittiDataError: everything that :func:`read_split` and :func:`read_objects` find, missing
            and unreadable images, missing labels and boxes outside of their image, all at once.
    """
    problems: list[str] = []
    lines = read_split(split, problems)
    image_names = images_by_frame(image_dir)
    label_names = set() if label_dir is None else set(os.listdir(label_dir))

    frame_ids = list(lines)
    image_paths, label_paths, labelled = [], [], []
    for frame, (frame_id, line) in enumerate(lines.items()):
        name = image_names.get(frame_id)
        image_paths.append(None if name is None else os.path.join(image_dir, name))
        if name is None:
            problems.append(
                f'{split}:{line}: frame {frame_id} has no image {frame_id}.png or {frame_id}.jpg '
                f'in {image_dir}; add the image or remove the line'
            )
        if f'{frame_id}.txt' in label_names:
            label_paths.append(os.path.join(label_dir, f'{frame_id}.txt'))
            labelled.append(frame)
        elif label_dir is not None:
            problems.append(
                f'{split}:{line}: frame {frame_id} has no label file {frame_id}.txt in '
                f'{label_dir}; add it (empty if nothing is there) or remove the line'
            )

    sizes = image_sizes(image_paths, problems)
    objects = read_objects(label_paths, known_types=known_types, problems=problems)
    bbox = objects.bbox
    objects, num_clipped = _clip(objects, sizes[labelled], label_paths, problems)
    if problems:
        raise KittiDataError(problems)
    # Without problems every frame, or none, has labels, so `frame` counts the split's frames.
    return KittiFrames(frame_ids, image_paths, sizes, objects, bbox, num_clipped)


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
