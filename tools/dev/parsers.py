"""What reads files and texts of others, each with a few whole inputs, for tools/dev/fuzz.py."""

import argparse
import io
import json
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image

from mmdet_lrm.darknet.cfg import follow, read_cfg
from mmdet_lrm.darknet.checkpoint import read_checkpoint
from mmdet_lrm.darknet.convert import detector_config
from mmdet_lrm.darknet.weights import Header, read_weights
from mmdet_lrm.errors import UserError
from mmdet_lrm.kitti.labels import read_objects
from mmdet_lrm.kitti.preparing import prepare
from mmdet_lrm.kitti.splits import read_split
from mmdet_lrm.launch.checkpoints import load_checkpoint
from mmdet_lrm.launch.settings import Settings
from mmdet_lrm.study.reading import compare
from mmdet_lrm.study.records import read_records

BODY = """[net]
width=64
height=32
channels=3
[convolutional]
batch_normalize=1
filters=4
size=3
stride=1
pad=1
activation=leaky
[maxpool]
size=2
stride=2
"""
YOLOV2 = f"""{BODY}[convolutional]
filters=12
size=1
stride=1
activation=linear
[region]
anchors=1,1, 2,2
classes=1
coords=4
num=2
softmax=1
"""
ROUTES = f"""{BODY}[route]
layers=-1,-2
[shortcut]
from=-3
activation=linear
[reorg]
stride=2
[upsample]
stride=2
[yolo]
mask=0,1
anchors=1,1, 2,2
classes=1
num=2
"""
LABELS = (
    b'Car 0.00 0 1.85 387.63 181.54 423.81 203.12 1.67 1.87 3.69 -16.53 2.39 58.49 1.57\n',
    b'DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10\n\n',
)
RESULT = b'Car -1 -1 -10 387.63 181.54 423.81 203.12 -1 -1 -1 -1000 -1000 -1000 -10 0.98\n'
TEXTS = (b'1', b'a,b', b'[1,(2.5,None)]', b'dict(a=1, b="x", c=[true])', b'{"a": {1: 2}}')


class Parser(NamedTuple):
    read: Callable[[Path], object]
    """Of a file, or of the file's text."""
    inputs: tuple[bytes, ...]
    errors: tuple[type[Exception], ...] = (UserError,)
    """What it may raise."""


def read_network(path: Path) -> dict:
    sections = read_cfg(path)
    return detector_config(sections, follow(sections))


def read_numbers(path: Path) -> object:
    """A ``.weights`` file, for the network that stands in the same folder."""
    cfg = path.with_name('net.cfg')
    if not cfg.exists():
        cfg.write_text(YOLOV2)
    return read_weights(path, follow(read_cfg(cfg)))


def read_archive(path: Path) -> None:
    """Images in a zip file, which are placed beside labels; nothing half written may stay."""
    labels, out = path.with_name('label_2'), path.with_name('out')
    labels.mkdir(exist_ok=True)
    for frame in range(2):
        (labels / f'{frame:06}.txt').write_bytes(LABELS[0][:4] + b'0 0 0 1 1 9 9' + b' 0' * 7)
    try:
        prepare(path, labels, out, lambda frames: dict(train=frames))
    finally:
        left = list(out.rglob('*.partial'))
        shutil.rmtree(out, ignore_errors=True)
        if left:
            raise AssertionError(f'{left} stays')


def read_any_checkpoint(path: Path) -> None:
    try:
        load_checkpoint(path)
    finally:
        read_checkpoint(path)


def read_variant(path: Path) -> object:
    text = path.read_text(errors='replace')
    return compare(['a.py'], variants=[text]), compare(['a.py'], grid=[text])


class Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise UserError(message)


OPTIONS = Arguments()
OPTIONS.add_argument('--cfg-options', action=Settings, nargs=1)


def read_setting(path: Path) -> object:
    """A text as the value of an option of a command line."""
    return OPTIONS.parse_args([f'--cfg-options=key={path.read_text(errors="replace")}'])


def numbers(header: Header) -> bytes:
    count = 3 * 4 + 4 + 4 * 3 * 9 + 12 + 12 * 4
    return header.to_bytes() + b'\0\0\x80?' * count


def archive(method: int) -> bytes:
    picture, file = io.BytesIO(), io.BytesIO()
    Image.new('L', (10, 10)).save(picture, 'png')
    with zipfile.ZipFile(file, 'w', method) as zipped:
        for frame in range(2):
            zipped.writestr(f'training/image_2/{frame:06}.png', picture.getvalue())
    return file.getvalue()


def checkpoint(zipped: bool) -> bytes:
    file = io.BytesIO()
    content = dict(meta=dict(epoch=1), state_dict=dict(weight=torch.zeros(2)))
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def record() -> bytes:
    own = dict(label='a', baseline=None, config='b', seed=0, metrics={'m': 0.5})
    return json.dumps(dict(shared=dict(epochs=2), records=[own, own | dict(seed=1)])).encode()


MISSING = (UserError, FileNotFoundError)
PARSERS = {
    'cfg': Parser(read_network, (YOLOV2.encode(), ROUTES.encode())),
    'weights': Parser(read_numbers, (numbers(Header()), numbers(Header(0, 1)))),
    'labels': Parser(lambda path: read_objects([path]), (*LABELS, b''.join(LABELS))),
    'results': Parser(lambda path: read_objects([path], True, None), (RESULT, RESULT * 2)),
    'splits': Parser(read_split, (b'000000\n000001\n', b'a-b\r\n\n_1')),
    'zips': Parser(read_archive, (archive(0), archive(zipfile.ZIP_DEFLATED)), MISSING),
    'records': Parser(read_records, (record(),)),
    'studies': Parser(read_variant, (b'a=1', b'name: hard_ratio=0.25,(1,2) b.c=x', *TEXTS)),
    'checkpoints': Parser(read_any_checkpoint, (checkpoint(True), checkpoint(False))),
    'settings': Parser(read_setting, TEXTS),
}
warnings.simplefilter('ignore')
