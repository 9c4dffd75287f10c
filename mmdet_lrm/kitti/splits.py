"""Frame ids: lists of splits, and which files of a folder are of a frame."""

import re
from pathlib import Path

from ..reading.text import TextError, read_text
from .objects import KittiDataError

_FRAME_ID = re.compile(r'[\w-]+', re.ASCII)


def is_data(name: str) -> bool:
    """Whether a file is more than what a system keeps beside the data: ``._x``, ``.DS_Store``."""
    return not name.startswith('.')


def frame_ids(folder: str | Path) -> set[str]:
    """Ids of the frames that have a text file in a folder: labels or results."""
    return {path.stem for path in Path(folder).glob('*.txt') if is_data(path.name)}


def read_split(path: str | Path, problems: list[str] | None = None) -> dict[str, int]:
    """Read a split list, one frame id such as ``000123`` per line; blank lines are skipped.

    Args:
        path: the list.
        problems: where to append what is wrong instead of raising it.

    Returns:
        The line, from 1, of every frame id, in the order of the list.

    Raises:
        KittiDataError: a line that is no id, an id twice, a list without any, or no text.
    """
    frames: dict[str, int] = {}
    text_lines, found = _lines(path)
    for line, frame_id in enumerate(map(str.strip, text_lines), start=1):
        if frame_id in frames:
            found.append(
                f'{path}:{line}: {frame_id} stands in line {frames[frame_id]} already; remove one'
            )
        elif _FRAME_ID.fullmatch(frame_id):
            frames[frame_id] = line
        elif frame_id:
            found.append(
                f"{path}:{line}: '{frame_id}' is no frame id; a line holds one id such as 000123, "
                'without folder and file ending'
            )
    if not frames and not found:
        found.append(f'{path}: the split is empty; it needs at least one frame id per line')
    if problems is not None:
        problems += found
    elif found:
        raise KittiDataError(found)
    return frames


def _lines(path: str | Path) -> tuple[list[str], list[str]]:
    """Of a text; and what is wrong with it."""
    try:
        return read_text(path).split('\n'), []
    except TextError as error:
        return [], [str(error)]
