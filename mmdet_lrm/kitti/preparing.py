"""Lay out KITTI's 2D object data as :class:`~.dataset.KittiDataset` reads it.

``OUT/training/image_2``, ``OUT/training/label_2``, ``OUT/ImageSets/train.txt`` and ``val.txt``, and
``OUT/testing/image_2`` where the source has it.
"""

import errno
import lzma
import os
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np
from terminaltables import AsciiTable
from tqdm import tqdm

from ..errors import UserError
from .evaluation import DIFFICULTIES, KITTI_CLASSES, valid_truths
from .frames import IMAGE_SUFFIXES, KittiFrames, images_by_frame, read_frames
from .objects import KittiDataError
from .splits import frame_ids, is_data, read_split

_SPLITS = ('train', 'val')
_BLOCK = 1 << 20  # bytes read at once
_SHOWN = 5
# Of a bad checksum or header; encryption or unknown compression; cut or damaged content or names.
_ZIP_FAULTS = (
    *(zipfile.BadZipFile, RuntimeError, EOFError, struct.error, zlib.error, lzma.LZMAError),
    UnicodeDecodeError,
)


class ArchiveError(UserError):
    """A zip file, or a member of one, that cannot be read; the message names it."""


class MissingFramesError(UserError):
    """Frames of the lists that have no image or no label; the message names some of each."""


@dataclass(frozen=True)
class _Item:
    """A file of the source."""

    target: str  # relative to the output folder
    size: int  # bytes
    crc: Callable[[], int]
    open: Callable[[], AbstractContextManager[BinaryIO]]
    path: Path | None  # None inside a zip file


def prepare(
    images: str | PathLike,
    labels: str | PathLike,
    out: str | PathLike,
    splits: dict[str, Sequence[str]] | Callable[[list[str]], dict[str, Sequence[str]]],
    link: bool = False,
    overwrite: bool = False,
    allow_missing: bool = False,
) -> str:
    """Extract, copy or link images and labels, write the split lists, check everything.

    A file that is there already with the same size and checksum, or is the source's own, is left
    alone, so an interrupted run goes on; files appear under their name only when complete.

    Args:
        images: ``data_object_image_2.zip``, or a folder: the unpacked zip, or its ``image_2``.
        labels: ``data_object_label_2.zip``, or a folder likewise.
        out: Folder to fill.
        splits: Frame ids of ``train`` and ``val``, or a function that makes them of all labelled
            frame ids, such as that of :func:`random_splits`.
        link: Symbolic links in place of copies; for folders only.
        overwrite: Replace files that differ, which else are an error, and links by copies.
        allow_missing: Leave frames without image or label out of the lists; else they are an
            error.

    Returns:
        The report: images, and boxes per class and difficulty, of each split.

    Raises:
        FileNotFoundError: a source is missing or has no such files.
        ArchiveError: a zip file or a member of it is damaged, encrypted or of unknown compression.
        FileExistsError: lists files of ``out`` that differ from the source.
        MissingFramesError: frames of the lists are absent; nothing has been written then.
        KittiDataError: lists everything that is wrong in the prepared data.
    """
    out = Path(out)
    items = [
        *_source_items(Path(images), 'image_2', IMAGE_SUFFIXES, link),
        *_source_items(Path(labels), 'label_2', ('.txt',), link),
    ]
    if not (callable(splits) or allow_missing):
        _require_frames(splits, items, out)
    place_files(items, out, link=link, overwrite=overwrite)
    img_dir, label_dir = out / 'training/image_2', out / 'training/label_2'
    present = sorted(frame_ids(label_dir) & images_by_frame(img_dir).keys())
    if callable(splits):
        splits = splits(present)
    if allow_missing:
        keep = set(present)
        splits = {name: [i for i in ids if i in keep] for name, ids in splits.items()}
    _write_splits(splits, out / 'ImageSets', overwrite)
    frames, problems = {}, []
    for name in splits:
        try:
            frames[name] = read_frames(out / f'ImageSets/{name}.txt', img_dir, label_dir)
        except KittiDataError as error:
            problems += error.problems
    if problems:
        raise KittiDataError(problems)
    return report(frames)


def _require_frames(splits: dict[str, Sequence[str]], items: list[_Item], out: Path) -> None:
    """Every frame of the lists has its image and its label, in the source or in ``out`` already."""
    absent = []
    for folder, what in (('training/image_2', 'image'), ('training/label_2', 'label')):
        held = {Path(item.target).stem for item in items if item.target.startswith(folder)}
        held |= {path.stem for path in (out / folder).glob('*')}
        for name, ids in splits.items():
            if lacking := [frame_id for frame_id in ids if frame_id not in held]:
                some = ', '.join(lacking[:_SHOWN]) + ', ...' * (len(lacking) > _SHOWN)
                absent.append(f'{len(lacking)} of {len(ids)} of {name}.txt have no {what} ({some})')
    if absent:
        raise MissingFramesError(
            f'frames are missing: {"; ".join(absent)}. Nothing was written. Give the whole source, '
            'or leave such frames out of the lists with --allow-missing'
        )


def usual_splits(split_dir: str | PathLike) -> dict[str, list[str]]:
    """The lists ``train.txt`` and ``val.txt`` of a folder, such as the usual 3,712 and 3,769.

    Raises:
        FileNotFoundError: one of the lists is missing.
        KittiDataError: a list is empty or malformed, or a frame is in both.
    """
    paths = {name: Path(split_dir) / f'{name}.txt' for name in _SPLITS}
    missing = [str(path) for path in paths.values() if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f'missing: {", ".join(missing)}; give the folder with train.txt and val.txt, one frame '
            'id a line'
        )
    splits = {name: list(read_split(path)) for name, path in paths.items()}
    shared = sorted(set(splits['train']) & set(splits['val']))
    if shared:
        raise KittiDataError(
            [f'{paths["val"]}: frame {frame_id} is also in train.txt' for frame_id in shared],
        )
    return splits


def random_splits(frame_ids: Sequence[str], val_fraction: float, seed: int) -> dict[str, list[str]]:
    """Random lists, each in ascending order, the same for the same seed and frames.

    Neighbouring frames may be of one drive, so train and val are less apart than in the usual
    split, and results on them higher.

    Args:
        frame_ids: All frames, two at least.
        val_fraction: Share of the frames in val, in (0, 1); each list gets one frame at least.
        seed: Not negative.
    """
    if not 0 < val_fraction < 1:
        raise ValueError(f'val_fraction is {val_fraction}; it must lie between 0 and 1')
    if len(frame_ids) < 2:
        raise ValueError(f'{len(frame_ids)} frames with image and label; two lists need 2 at least')
    shuffled = np.random.default_rng(seed).permutation(sorted(frame_ids)).tolist()
    num_val = min(max(round(len(shuffled) * val_fraction), 1), len(shuffled) - 1)
    return {'train': sorted(shuffled[num_val:]), 'val': sorted(shuffled[:num_val])}


def report(splits: dict[str, KittiFrames]) -> str:
    """Tables of the number of images and of boxes that count per class and difficulty."""
    lines = []
    for name, frames in splits.items():
        objects = frames.objects
        counts = [
            [valid_truths(objects, kind, limits).sum() for limits in DIFFICULTIES.values()]
            for kind in KITTI_CLASSES
        ]
        totals = [(objects.types == kind).sum() for kind in KITTI_CLASSES]
        rows = [['boxes', *DIFFICULTIES, 'all']]
        rows += [
            [kind, *row, total]
            for kind, row, total in zip(KITTI_CLASSES, counts, totals, strict=True)
        ]
        lines += [f'{name}: {len(frames.frame_ids)} images', AsciiTable(rows).table]
        if frames.num_clipped:
            lines.append(f'{frames.num_clipped} boxes leave their image by rounding: clipped')
    return '\n'.join(lines)


def place_files(items: Iterable[_Item], out: Path, link: bool, overwrite: bool) -> None:
    """Put every item under ``out`` unless it is there already."""
    items = list(items)
    different = []
    for item in tqdm(items, desc=str(out), unit='file', disable=None):
        target = out / item.target
        if os.path.lexists(target):
            if _is_there(item, target, link, overwrite):
                continue
            if not overwrite:
                different.append(str(target))
                continue
        target.parent.mkdir(parents=True, exist_ok=True)
        _place(item, target, link)
    if different:
        listed = '\n  '.join(different[:20]) + ('\n  ...' if len(different) > 20 else '')
        raise FileExistsError(
            f'{len(different)} files are there already and differ from the source; they were left '
            f'as they are. Use --overwrite to replace them, or another folder:\n  {listed}'
        )


def _place(item: _Item, target: Path, link: bool) -> None:
    # Under another name first: an interrupted run must not leave half a file that looks whole.
    partial = target.with_name(f'.{target.name}.partial')
    partial.unlink(missing_ok=True)
    try:
        if link:
            partial.symlink_to(item.path.resolve())
        else:
            with item.open() as source, open(partial, 'wb') as file:
                shutil.copyfileobj(source, file, _BLOCK)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _is_there(item: _Item, target: Path, link: bool, overwrite: bool) -> bool:
    """Whether a file is to be left as it is: it is the source, or a copy where copies are asked."""
    if item.path and target.exists() and os.path.samefile(item.path, target):
        # A copy may replace a link to the source, but no link or copy the source itself.
        is_link = target.is_symlink() and _without_links(target) != _without_links(item.path)
        return not (is_link and overwrite and not link)
    if link or target.is_symlink() or not target.is_file() or target.stat().st_size != item.size:
        return False
    return _file_crc(target) == item.crc()


def _without_links(path: Path) -> Path:
    """The place of a file, or of the link that it is."""
    return path.parent.resolve() / path.name


def _file_crc(path: Path) -> int:
    crc = 0
    with open(path, 'rb') as file:
        while block := file.read(_BLOCK):
            crc = zlib.crc32(block, crc)
    return crc


def _source_items(source: Path, folder: str, suffixes: tuple[str, ...], link: bool) -> list[_Item]:
    """The files ``{training,testing}/{folder}/*`` of a zip file or folder."""
    if source.is_dir():
        items = _folder_items(source, folder, suffixes)
    elif source.is_file():
        if link:
            raise ValueError(f'{source} is a file; only the files of a folder can be linked')
        if not zipfile.is_zipfile(source):
            raise ArchiveError(
                f'{source} is not a zip file, or only a part of one; download it again'
            )
        items = _zip_items(source, folder, suffixes)
    else:
        raise FileNotFoundError(f'{source} is missing; give data_object_{folder}.zip or a folder')
    if not any(item.target.startswith('training/') for item in items):
        raise FileNotFoundError(
            f'{source} has no training/{folder}/*{"|".join(suffixes)}; give '
            f'data_object_{folder}.zip, the folder it unpacks to, or its {folder} folder'
        )
    return items


def _zip_items(source: Path, folder: str, suffixes: tuple[str, ...]) -> list[_Item]:
    place = re.compile(rf'(training|testing)/{folder}/([^/]+)')
    with _explained(source):
        archive = zipfile.ZipFile(source)
    items = []
    for info in archive.infolist():
        found = place.fullmatch(info.filename)
        if found and _is_wanted(found[2], suffixes):
            # Encryption and unknown compression show here, before anything is written.
            with _explained(source, info.filename), archive.open(info):
                pass
            items.append(
                _Item(
                    target=info.filename,
                    size=info.file_size,
                    crc=lambda info=info: info.CRC,
                    open=lambda info=info: _open_member(archive, info),
                    path=None,
                )
            )
    return items


@contextmanager
def _open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[BinaryIO]:
    with _explained(Path(archive.filename), info.filename), archive.open(info) as file:
        yield file


@contextmanager
def _explained(source: Path, member: str | None = None) -> Iterator[None]:
    """Turn what zipfile raises of damaged, encrypted or unknown content into an ArchiveError."""
    try:
        yield
    except (*_ZIP_FAULTS, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # of the disk; not a decompressor's, nor of a place before the file's beginning
        what = f'{source}: {member}' if member else f'{source}'
        raise ArchiveError(
            f'{what} cannot be read ({error or "it ends too early"}). Download the file again, or '
            'unpack it yourself and give the folder'
        ) from error


def _is_wanted(name: str, suffixes: tuple[str, ...]) -> bool:
    return is_data(name) and os.path.splitext(name)[1].lower() in suffixes


def _folder_items(source: Path, folder: str, suffixes: tuple[str, ...]) -> list[_Item]:
    parts = [(source / part / folder, part) for part in ('training', 'testing')]
    if not any(path.is_dir() for path, _ in parts):
        parts = [(source, 'training')]
    return [
        _Item(
            target=f'{part}/{folder}/{path.name}',
            size=path.stat().st_size,
            crc=lambda path=path: _file_crc(path),
            open=lambda path=path: open(path, 'rb'),
            path=path,
        )
        for directory, part in parts
        if directory.is_dir()
        for path in sorted(directory.iterdir())
        if _is_wanted(path.name, suffixes)
    ]


def _write_splits(splits: dict[str, Sequence[str]], folder: Path, overwrite: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    texts = {folder / f'{name}.txt': '\n'.join(ids) + '\n' for name, ids in splits.items()}
    texts = {path: text for path, text in texts.items() if not _is_list_of(path, text)}
    for path in texts:
        if path.exists() and not overwrite:
            raise FileExistsError(
                f'{path} is there already with other frames; use --overwrite to replace it'
            )
    for path, text in texts.items():
        partial = path.with_name(f'.{path.name}.partial')
        partial.write_text(text)
        partial.replace(path)


def _is_list_of(path: Path, text: str) -> bool:
    """Whether a list is there and has the frames of the text, with whichever line ends."""
    if not path.is_file():
        return False
    problems: list[str] = []
    frames = list(read_split(path, problems))
    return path.read_bytes() == text.encode() or (frames == text.split() and not problems)
