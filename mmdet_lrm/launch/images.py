"""Images that a training would read, decoded before it begins."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
from mmdet.registry import DATASETS
from mmengine.config import Config

from ..errors import LaunchError

SHOWN = 5


def require_images(cfg: Config, *loaders: str) -> None:
    """Every image of these loaders' data sets can be decoded, to its end.

    Raises:
        LaunchError: some cannot; the first of them are named.
    """
    paths = {}
    for loader in loaders:
        dataset = DATASETS.build(cfg[loader].dataset)
        paths |= dict.fromkeys(
            dataset.get_data_info(index)['img_path'] for index in range(len(dataset))
        )
    broken = [f"'{path}' ({fault})" for path in paths if (fault := image_fault(path))]
    if broken:
        more = f' and {len(broken) - SHOWN} more' if len(broken) > SHOWN else ''
        raise LaunchError(
            f'{len(broken)} of {len(paths)} images cannot be decoded whole: '
            f'{", ".join(broken[:SHOWN])}{more}. Get them anew, or take them off the lists'
        )


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
    return ' '.join(said[0].split())


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
