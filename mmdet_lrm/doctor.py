"""What of a machine, its packages and its data would hinder a training, and what to do about it.

Whatever is missing here may be what is sought, so each check imports what it looks at.
"""

import contextlib
import importlib
import io
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

OK, NOTE, FAULT = 'ok', 'note', 'FAULT'
OLDEST_PYTHON, OLDEST_TORCH = (3, 10), (2, 4)
# A checkpoint of YOLOv2 with its optimizer takes 0.4 GB, and two and the best are kept.
LITTLE_DISK, FEW_DISK = 1e9, 5e9
INSTALL = "`make venv`, or `pip install -c constraints.txt '.[onedl]'` in the folder of mmdet_lrm"
DATA = {'KITTI_ROOT': 'kitti', 'VOC_ROOT': 'voc', 'COCO_ROOT': 'coco', 'BCCD_ROOT': 'bccd'}


class Finding(NamedTuple):
    """``level`` is OK, NOTE or FAULT; the remedy belongs to the last."""

    level: str
    text: str
    remedy: str = ''

    def __str__(self) -> str:
        lines = [f'{self.level:6}{self.text}', *[f'      -> {self.remedy}'] * bool(self.remedy)]
        return '\n'.join(lines)


def examine() -> Iterator[Finding]:
    """All checks, one after the other; what a check cannot do is a finding of its own."""
    for check in (python, torch_and_gpu, stack, operators, package, disk, extras):
        yield from found_by(check)
    for variable, name in DATA.items():
        yield from found_by(data_set, name, variable)


def found_by(check: Callable[..., Iterator[Finding]], *arguments: str) -> list[Finding]:
    """What a check finds, without what the packages that it imports print."""
    findings = []
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            findings.extend(check(*arguments))
    # Of what a broken installation raises there is no list: missing symbols, bad versions, ...
    except Exception as error:
        what = ' '.join([check.__name__, *arguments])
        findings.append(Finding(FAULT, f'{what}: {type(error).__name__}: {error}', INSTALL))
    return findings


def python() -> Iterator[Finding]:
    text = f'Python {platform.python_version()}, {platform.platform()}, {sys.executable}'
    if sys.version_info < OLDEST_PYTHON:
        least = '.'.join(map(str, OLDEST_PYTHON))
        yield Finding(FAULT, text, f'use Python {least} or newer')
    else:
        yield Finding(OK, text)


def torch_and_gpu() -> Iterator[Finding]:
    import torch

    version = tuple(int(part) for part in torch.__version__.split('.')[:2])
    if version < OLDEST_TORCH:
        least = '.'.join(map(str, OLDEST_TORCH))
        yield Finding(FAULT, f'torch {torch.__version__}', f'install torch {least} or newer')
    else:
        yield Finding(OK, f'torch {torch.__version__}, {torch.get_num_threads()} threads')
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(number)
            name = torch.cuda.get_device_name(number)
            yield Finding(
                OK, f'GPU {number}: {name}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free'
            )
    elif torch.version.cuda:
        yield Finding(
            FAULT,
            f'torch was built for CUDA {torch.version.cuda} and finds no GPU',
            'look at nvidia-smi: a driver older than that CUDA, or no GPU; for the CPU alone, '
            "torch's index has smaller packages",
        )
    else:
        yield Finding(NOTE, 'no GPU: trainings run on the CPU; the tiny detectors are made for it')


def stack() -> Iterator[Finding]:
    """The packages under mmdet's name, of one of the two stacks and not of both."""
    providers = metadata.packages_distributions()
    for name in ('mmengine', 'mmcv', 'mmdet'):
        found = sorted(set(providers.get(name, ())))
        listed = ' and '.join(f'{each} {metadata.version(each)}' for each in found)
        if not found:
            yield Finding(FAULT, f'{name} is not installed', INSTALL)
        elif len(found) > 1:
            yield Finding(
                FAULT,
                f'{name} comes from {listed}, which overwrite each other',
                f'pip uninstall {" ".join(found)}; then {INSTALL}',
            )
        else:
            importlib.import_module(name)
            yield Finding(OK, f'{name} of {listed}')


def operators() -> Iterator[Finding]:
    """mmcv's compiled operators, run on each device that there is."""
    import torch
    from mmcv.ops import nms

    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]])
    scores = torch.tensor([0.9, 0.8, 0.7])
    for device in ['cpu'] + ['cuda'] * torch.cuda.is_available():
        try:
            _, kept = nms(boxes.to(device), scores.to(device), 0.5)
        except (RuntimeError, NotImplementedError) as error:
            yield Finding(
                FAULT,
                f"mmcv's operators do not run on {device}: {str(error).splitlines()[0]}",
                'compile mmcv for this torch: pip uninstall onedl-mmcv, then '
                '`CFLAGS=-g0 pip install --no-build-isolation --no-cache-dir onedl-mmcv`',
            )
            continue
        if kept.tolist() == [0, 2]:
            yield Finding(OK, f"mmcv's operators run on {device}")
        else:
            yield Finding(
                FAULT, f"mmcv's NMS keeps {kept.tolist()} on {device}, not [0, 2]", INSTALL
            )


def package() -> Iterator[Finding]:
    import mmdet_lrm

    registry = importlib.import_module('mmdet.registry')
    importlib.import_module('mmdet_lrm.mining.lrm_loss')
    where = Path(mmdet_lrm.__file__).parent
    if registry.MODELS.get('LRMLoss') is None:
        yield Finding(FAULT, f'mmdet_lrm of {where} registers nothing', INSTALL)
    else:
        yield Finding(OK, f'mmdet_lrm {mmdet_lrm.__version__} of {where}')


def disk() -> Iterator[Finding]:
    free = shutil.disk_usage('.').free
    text = f'{free / 1e9:.1f} GB free in {Path.cwd()}, where work_dirs goes'
    if free < LITTLE_DISK:
        yield Finding(FAULT, text, 'free some, or name another folder with --work-dir')
    else:
        yield Finding(NOTE if free < FEW_DISK else OK, text)


def extras() -> Iterator[Finding]:
    """What only a part of the work needs."""
    for name, use in (('onnx', 'export'), ('onnxruntime', 'running what was exported')):
        try:
            yield Finding(OK, f'{name} {metadata.version(name)}')
        except metadata.PackageNotFoundError:
            yield Finding(NOTE, f"no {name}, for {use}: pip install '.[deploy]'")


def data_set(name: str, variable: str) -> Iterator[Finding]:
    """The data of the shipped configs of this name, if they are there: read, counted, checked."""
    from mmengine.config import Config

    import mmdet_lrm

    from .launch.data_check import MAX_SHOWN, look_through

    cfg = Config.fromfile(mmdet_lrm.config(f'yolov2-tiny_{name}'))
    if not Path(cfg.data_root).is_dir():
        yield Finding(NOTE, f'no data of {name} in {cfg.data_root}; {variable} names their folder')
        return
    report = look_through(cfg, 'train_dataloader', 'val_dataloader')
    if problems := report.problems:
        text = f'problems in the data of {name}: {len(problems)}, first {problems[0]}'
        yield Finding(FAULT, text, f'mend them; train.py names {MAX_SHOWN} at a time')
    for column, (title, *counts) in report.counts.items():
        if title != 'in images':
            yield Finding(OK, f'{name} in {cfg.data_root}: {column} {counts[-1]} boxes')
    for note in report.notes:
        yield Finding(NOTE, f'{name}: {note}')
