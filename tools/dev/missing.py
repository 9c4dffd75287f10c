"""What the set-up of the environment needs and this machine lacks; standard library only."""

from __future__ import annotations  # so that an older Python reads this far and can say so

import os
import platform
import shutil
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path

OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 13)  # torch's and the pinned numpy's wheels
# Gigabytes with a margin, measured for the CPU and estimated for CUDA: the environment, what pip
# unpacks in the folder for temporary files, and the build in the cache.
DISK_GB = {'cpu': 2.5, 'cuda': 10}
UNPACK_GB = {'cpu': 0.5, 'cuda': 4}
BUILD_GB = {'cpu': 1, 'cuda': 4}


def say(message: str) -> None:
    print(f'[setup] {message}', flush=True)


def fail(message: str) -> None:
    raise SystemExit(f'[setup] error: {message}')


def missing(venv: Path, device: str, build_in: Path | None) -> list[str]:
    """All that is missing, each with the way to get it; mmcv is compiled in a folder, if in any."""
    lacks = []
    if not OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        lacks.append(
            f'Python 3.{OLDEST_PYTHON[1]} to 3.{NEWEST_PYTHON[1]} (this is '
            f'{platform.python_version()}): install one, then `make PYTHON=python3.11 ...`'
        )
    absent = [name for name in ('venv', 'ensurepip') if find_spec(name) is None]
    if absent:
        lacks.append(
            f"Python's {' and '.join(absent)}: on Debian and Ubuntu `apt install python3-venv`"
        )
    needs = {venv: DISK_GB[device], Path(tempfile.gettempdir()): UNPACK_GB[device]}
    if build_in:
        needs[build_in] = BUILD_GB[device]
        lacks += missing_to_build(device)
    return lacks + short_disks(needs)


def missing_to_build(device: str) -> list[str]:
    lacks = []
    if shutil.which(os.environ.get('CXX', 'c++')) is None:
        lacks.append('a C++17 compiler: on Debian and Ubuntu `apt install g++`')
    if not Path(sysconfig.get_paths()['include'], 'Python.h').exists():
        lacks.append("Python's headers: on Debian and Ubuntu `apt install python3-dev`")
    if device != 'cpu' and not (shutil.which('nvcc') or os.environ.get('CUDA_HOME')):
        lacks.append(
            "the CUDA toolkit (nvcc) of torch's CUDA version, to compile mmcv for the GPU: install "
            'it and set CUDA_HOME, or set MMCV_WHEELS to a folder with such a wheel, or DEVICE=cpu'
        )
    return lacks


def short_disks(needs: dict[Path, float]) -> list[str]:
    """Disks with too little room; several of the folders may share one, or not exist yet."""
    disks = {}
    for path, gigabytes in needs.items():
        there = next(folder for folder in (path, *path.parents) if folder.exists())
        disks.setdefault(there.stat().st_dev, [there, 0])[1] += gigabytes
    return [
        f'{needed:g} GB on the disk of {folder} ({free:.1f} GB are free)'
        for folder, needed in disks.values()
        if (free := shutil.disk_usage(folder).free / 1e9) < needed
    ]
