"""KITTI's result files: write."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .objects import UNKNOWN_BEFORE_BOX, UNKNOWN_BEHIND_BOX, check_finite


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
    check_finite(bbox, score)
    text = ''.join(
        f'{kind} {UNKNOWN_BEFORE_BOX} {x1:.9g} {y1:.9g} {x2:.9g} {y2:.9g} '
        f'{UNKNOWN_BEHIND_BOX} {value:.9g}\n'
        for kind, (x1, y1, x2, y2), value in zip(types, bbox, score, strict=True)
    )
    part = path.with_name(f'.{path.name}.part')
    try:
        part.write_text(text)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
