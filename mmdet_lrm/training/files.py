"""Files that are whole at any moment."""

import os
from pathlib import Path

PART = '.part'


def write_whole(path: str | Path, content: bytes | str) -> None:
    """Write a file beside, flush it to the disk, and give it its name in one step.

    Cut off at any moment there is the earlier file, or none, or this one; beside it, after a kill,
    what was written so far, its name followed by the process's id and ``PART``.

    Raises:
        OSError: the disk is full, for one; nothing stays beside.
    """
    path = Path(path)
    part = path.with_name(f'{path.name}.{os.getpid()}{PART}')
    try:
        with open(part, 'wb') as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    flush_names(path.parent)


def flush_names(folder: Path) -> None:
    """Have the names of a folder's files on the disk as well; Windows has no such call."""
    if os.name == 'posix':
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
