"""Images that a training would read, decoded before it begins."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
from mmdet.registry import DATASETS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

from ..errors import LaunchError, UserError
from .annotations import READING_ERRORS
from .nodes import find_datasets

SHOWN = 5
# What libpng says of an image whose pixels are all there: of a chunk that is not critical, whose
# name begins with a small letter, and of what follows the last row. Whatever libjpeg says is a
# fault, since it says the first thing only, behind which the end may be missing.
HARMLESS = re.compile(
    r'libpng warning: [a-z][a-zA-Z]{3}: '
    r'|libpng warning: IDAT: (Too much image|Extra compressed) data'
)


def require_images(cfg: Config, *loaders: str) -> None:
    """Every image of these loaders' local data sets can be decoded, to its end.

    Raises:
        UserError: annotations that cannot be read, or images that cannot be decoded; the first of
            them are named.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    paths = {}
    for loader in loaders:
        for part in find_datasets(cfg.get(loader) or {}):
            if '://' not in (part.data_root or ''):
                paths |= dict.fromkeys(_image_paths(part, loader))
    broken = [f"'{path}' ({fault})" for path in paths if (fault := image_fault(path))]
    if broken:
        more = f' and {len(broken) - SHOWN} more' if len(broken) > SHOWN else ''
        raise LaunchError(
            f'{len(broken)} of {len(paths)} images cannot be decoded whole: '
            f'{", ".join(broken[:SHOWN])}{more}. Get them anew, or take them off the lists'
        )


def _image_paths(part: ConfigDict, loader: str) -> list[str]:
    """Of the images that a data set does not filter out."""
    try:
        dataset = DATASETS.build(ConfigDict(part, pipeline=[]))
        return [dataset.get_data_info(index)['img_path'] for index in range(len(dataset))]
    except UserError:
        raise
    except READING_ERRORS as error:
        raise LaunchError(
            f'{part.type} of {loader} cannot be read: {type(error).__name__}: {error}'
        ) from error


def image_fault(path: str | Path) -> str:
    """What is wrong with an image file; '' if nothing is.

    A JPEG with garbage behind a whole header is decoded to grey or noise, with no more than a word
    on stderr by the decoder, in C.
    """
    if not Path(path).is_file():
        return 'not a file'
    with captured_stderr() as said:
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        return 'not an image, or not a whole one'
    lines = [' '.join(line.split()) for line in said[0].splitlines()]
    return ' '.join(line for line in lines if not HARMLESS.match(line))


@contextmanager
def captured_stderr() -> Iterator[list[str]]:
    """What this process writes to file descriptor 2; the list has the text once it is left."""
    said, saved = [], os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            file.seek(0)
            said.append(file.read().decode(errors='replace'))
