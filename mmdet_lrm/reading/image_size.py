"""Width and height of pictures as the training loads them; Pillow and OpenCV only.

mmcv reads by OpenCV, which turns a picture as its EXIF orientation says. Pillow, which knows a size
from the header alone, does not. So the tag is read here; tags in XMP or behind the pixels of a PNG
are not looked for (OpenCV skips the former).
"""

import os
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from os import PathLike

import numpy as np
from PIL import ExifTags, Image
from tqdm import tqdm

from ..errors import UserError

TURNED = (5, 6, 7, 8)  # EXIF orientations that exchange width and height


class ImageSizeError(UserError):
    """A file that is no picture; the message names it."""


def image_size(path: str | PathLike) -> tuple[int, int]:
    """Width and height in px of the array that ``mmcv.imread`` returns by its default flags.

    Raises:
        ImageSizeError: the file is missing or no picture.
    """
    try:
        with Image.open(path) as image:
            size, tags = image.size, image.info.get('exif')
        return _turned(path, size, tags) if tags else size
    except (OSError, Image.DecompressionBombError) as error:
        raise ImageSizeError(
            f'{path}: no readable png or jpg image ({error}); replace the file'
        ) from None


def _turned(path: str | PathLike, size: tuple[int, int], tags: bytes) -> tuple[int, int]:
    exif = Image.Exif()
    try:
        exif.load(tags)
        return size[::-1] if exif.get(ExifTags.Base.Orientation) in TURNED else size
    except (SyntaxError, struct.error):  # of damaged tags, in which OpenCV may find an orientation
        import cv2  # a tenth of a second, for so rare a case

        image = cv2.imread(os.fspath(path))
        if image is None:
            raise OSError('OpenCV cannot decode it') from None
        return image.shape[1::-1]


def image_sizes(paths: Sequence[str | None], problems: list[str]) -> np.ndarray:
    """(F, 2) int widths and heights; 0, 0 for None, and for what is appended to ``problems``."""

    def size(path: str | None) -> tuple[int, int] | ImageSizeError:
        try:
            return (0, 0) if path is None else image_size(path)
        except ImageSizeError as error:
            return error

    # Opening thousands of files waits for the disk, hence more threads than cores.
    with ThreadPoolExecutor(max_workers=8) as pool:
        read = pool.map(size, paths, chunksize=64)
        bar = dict(desc='sizes of pictures', total=len(paths), unit='file', delay=1, leave=False)
        sizes = list(tqdm(read, disable=None, **bar))
    problems += [str(item) for item in sizes if isinstance(item, ImageSizeError)]
    sizes = [(0, 0) if isinstance(item, ImageSizeError) else item for item in sizes]
    return np.array(sizes, dtype=np.int64).reshape(-1, 2)
