"""Sets up the environment that `make` works in; standard library only.

    python3 tools/dev/setup_env.py --venv .venv --stack onedl

Steps: (1) nothing, if nothing changed since the last time; (2) say all that is missing; (3) torch,
for the CPU where there is no GPU; (4) mmcv from a folder of wheels, from the user's cache, or from
source; (5) the rest, and this package, editable; (6) try it. Environment variables: MMCV_WHEELS,
DEVICE, TORCH_INDEX_URL, MAX_JOBS.
"""

from __future__ import annotations  # so that an older Python reads this far and can say so

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from build_mmcv import (
    cache_key,
    fail,
    missing_to_build,
    mmcv_wheels,
    ready_wheels,
    say,
    wheel_cache,
)

ROOT = Path(__file__).resolve().parents[2]
STACKS = {
    'onedl': ('onedl-mmcv', 'constraints.txt'),
    'upstream': ('mmcv', 'constraints-upstream.txt'),
}
OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 13)  # torch's and the pinned numpy's wheels
# Gigabytes with a margin, measured for the CPU and estimated for CUDA: the environment, what pip
# unpacks in the folder for temporary files, and the build in the cache.
DISK_GB = {'cpu': 2.5, 'cuda': 10}
UNPACK_GB = {'cpu': 0.5, 'cuda': 4}
BUILD_GB = {'cpu': 1, 'cuda': 4}
TORCH_CPU_INDEX = 'https://download.pytorch.org/whl/cpu'
# An index that does not answer must not cost minutes: there is another one to ask.
QUICK = ['--timeout', '15', '--retries', '0']

PROBE = """
import json, torch
cuda = torch.cuda.is_available()
arch = '_sm%d%d' % torch.cuda.get_device_capability() if cuda else ''
print(json.dumps([torch.__version__, 'cuda' + arch if cuda else 'cpu']))
"""
TRIAL = """
import cv2, torch
from mmcv.ops import nms
boxes = torch.tensor([[0., 0., 10., 10.], [0., 0., 10., 9.]])
for device in ['cpu'] + ['cuda'] * torch.cuda.is_available():
    kept = nms(boxes.to(device), torch.tensor([.5, .9], device=device), 0.5)[1].tolist()
    assert kept == [1], f'nms on {device} kept boxes {kept} instead of [1]'
"""


# (1) Nothing, if nothing changed


def stamp_key(venv: Path, stack: str, device: str, root: Path = ROOT) -> str:
    """Changes with whatever the environment depends on, and with a torch or mmcv put in by hand."""
    digest = hashlib.sha256()
    programs = ('setup.py', 'tools/dev/setup_env.py', 'tools/dev/build_mmcv.py')
    for path in sorted(root.glob('constraints*.txt')) + [root / name for name in programs]:
        digest.update(path.read_bytes())
    installed = sorted(
        path.name
        for pattern in ('torch-*', '*mmcv-*')
        for path in venv.glob(f'lib/python*/site-packages/{pattern}.dist-info')
    )
    facts = [platform.python_version(), str(root), stack, device, *installed]
    digest.update('\n'.join(facts).encode())
    return digest.hexdigest()


def has_gpu() -> bool:
    """Whether there is an NVIDIA GPU that its driver can use."""
    if Path('/proc/driver/nvidia/version').exists():
        return True
    command = shutil.which('nvidia-smi')
    if command is None:
        return False
    return 'GPU ' in subprocess.run([command, '-L'], capture_output=True, text=True).stdout


def choose_device(wanted: str | None) -> str:
    if not wanted:
        return 'cuda' if has_gpu() else 'cpu'
    if wanted not in DISK_GB:
        fail(f"DEVICE is '{wanted}'; it must be 'cpu' or 'cuda', or unset to choose by the GPU")
    return wanted


# (2) What is missing


def missing(venv: Path, device: str, building: bool) -> list[str]:
    """All that the set-up needs and this machine lacks, each with the way to get it."""
    lacks = []
    version = sys.version_info[:2]
    if not OLDEST_PYTHON <= version <= NEWEST_PYTHON:
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
    if building:
        needs[wheel_cache()] = BUILD_GB[device]
        lacks += missing_to_build(device)
    return lacks + short_disks(needs)


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


# (3) torch


def torch_attempts(version: str, device: str, index_url: str | None) -> list[tuple[str, list[str]]]:
    """Where torch may come from, in this order: what to say, and pip's arguments.

    On Linux the plain PyPI package holds CUDA and takes gigabytes, so for a CPU it comes last.
    Without dependencies: those come from PyPI with the rest, in step (5).
    """
    plain = (f'torch {version} from PyPI', [f'torch=={version}'])
    if index_url:
        return [(f'torch {version} from {index_url}', [*plain[1], '--index-url', index_url])]
    if device == 'cuda' or platform.system() != 'Linux':
        return [plain]
    return [
        (
            f"torch {version}, CPU build, from pip's own folders",
            [f'torch=={version}+cpu', '--no-index'],
        ),
        (
            f'torch {version}, CPU build, from {TORCH_CPU_INDEX}',
            [f'torch=={version}', '--index-url', TORCH_CPU_INDEX, *QUICK],
        ),
        (f'{plain[0]} (CUDA build, several GB)', plain[1]),
    ]


def install_torch(pip: list[str], attempts: list[tuple[str, list[str]]]) -> None:
    """Try the sources in turn; a torch that is there already and fits stays."""
    for number, (label, arguments) in enumerate(attempts, 1):
        say(label)
        last = number == len(attempts)
        if run([*pip, 'install', '--no-deps', *arguments], quiet=not last) == 0:
            return
        say('not there' if not last else 'not there either')
    fail(
        f'torch could not be installed; tried: {"; ".join(label for label, _ in attempts)}. Check '
        'the network, or set TORCH_INDEX_URL to a package index that has it'
    )


# (5), (6) The rest, and the whole


def run(command: list[str], quiet: bool = False) -> int:
    """Exit status of a command that gets no input; quiet hides its errors."""
    sink = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, stdin=subprocess.DEVNULL, stderr=sink).returncode


def trial(python: str, code: str) -> str:
    """What a piece of code says when it fails, and nothing when it runs."""
    ended = subprocess.run([python, '-W', 'ignore', '-c', code], capture_output=True, text=True)
    return ended.stderr if ended.returncode else ''


def pinned(name: str, stack: str, root: Path = ROOT) -> str:
    """The version that the stack's constraints name; the stack's own file wins."""
    for file in (STACKS[stack][1], 'constraints.txt'):
        found = re.search(rf'^{name}==([^\s;]+)', (root / file).read_text(), re.MULTILINE)
        if found:
            return found[1]
    raise KeyError(f'{name} is pinned in no constraints file')


def make_venv(venv: Path) -> None:
    """A new environment, unless there is one of this Python already."""
    python = venv / 'bin' / 'python'
    same = f'import pip, sys; assert sys.version_info[:2] == {tuple(sys.version_info[:2])}'
    if python.exists() and run([str(python), '-c', same], quiet=True) == 0:
        return
    # Making it anew empties the folder, which must be ours to empty.
    if venv.exists() and any(venv.iterdir()) and not (venv / 'pyvenv.cfg').exists():
        fail(f'{venv} holds other files and no Python environment; name another folder with VENV=')
    say(f'a new environment in {venv}, with Python {platform.python_version()}')
    if run([sys.executable, '-m', 'venv', '--clear', str(venv)]):
        fail(f'python -m venv {venv} failed; its message stands above')


def set_up(venv: Path, stack: str, device: str) -> None:
    name, constraints = STACKS[stack]
    version, torch_version = pinned(name, stack), pinned('torch', stack)
    folder = os.environ.get('MMCV_WHEELS')
    kept = sorted(wheel_cache().glob(f'*torch{torch_version}*'))
    ready = ready_wheels(folder, kept, name, version)
    lacks = missing(venv, device, building=not ready)
    if lacks:
        fail('this machine lacks\n' + '\n'.join(f'  - {lack}' for lack in lacks))

    make_venv(venv)
    python = str(venv / 'bin' / 'python')
    pip = [python, '-m', 'pip', '--no-input', '--disable-pip-version-check']

    def install(*arguments: str) -> None:
        if run([*pip, 'install', '-qq', *arguments]):
            fail(f"`pip install {' '.join(arguments)}` failed; pip's message stands above")

    if device == 'cpu':
        # DEVICE=cpu on a machine with a GPU: neither mmcv's build nor the trial must see it.
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    elif any(venv.glob('lib/python*/site-packages/torch-*+cpu.dist-info')):
        # To pip the CPU build has the wanted version, and it would leave it there.
        run([*pip, 'uninstall', '-y', 'torch'])
    pins = ['-c', str(ROOT / constraints)]
    install_torch(pip, torch_attempts(torch_version, device, os.environ.get('TORCH_INDEX_URL')))
    say("torch's requirements and the build tools")
    install(*pins, f'torch=={torch_version}', 'setuptools', 'wheel', 'ninja', 'packaging', 'numpy')
    probe = subprocess.run([python, '-W', 'ignore', '-c', PROBE], capture_output=True, text=True)
    if probe.returncode:
        fail(f'torch was installed and does not import:\n{probe.stderr}')
    torch_version, compute = json.loads(probe.stdout)
    if device == 'cuda' and compute == 'cpu':
        say(f'torch {torch_version} cannot use the GPU (see `nvidia-smi`); mmcv is for the CPU')
    cache = wheel_cache() / cache_key(torch_version, compute)

    for wheel in mmcv_wheels(pip, folder, cache, name, version, compute):
        install('--no-deps', '--force-reinstall', str(wheel))
        say('MMDetection, the tools and mmdet_lrm')
        install(*pins, '--no-build-isolation', '-e', f'{ROOT}[{stack},dev]')
        # Both OpenCV packages unpack into cv2/, and the last one wins. The one with windows needs
        # libGL, which a server lacks; nothing here opens a window of OpenCV's.
        opencv = f'opencv-python-headless=={pinned("opencv-python-headless", stack)}'
        install('--no-deps', '--force-reinstall', opencv)
        error = trial(python, TRIAL)
        if not error:
            break
        say(f'{wheel} does not work with torch {torch_version}:\n{error}')
    else:
        fail(f'the mmcv compiled here does not work either; see {cache / "build.log"}')
    error = trial(python, 'import mmdet.apis, mmdet_lrm')
    if error:
        fail(f'all is installed, and does not import:\n{error}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--venv', type=Path, default=ROOT / '.venv', help='folder to set up')
    parser.add_argument('--stack', choices=STACKS, default='onedl', help='the MMDetection to use')
    args = parser.parse_args()
    venv, start = args.venv.absolute(), time.monotonic()
    device = choose_device(os.environ.get('DEVICE'))
    stamp = venv / 'mmdet_lrm.stamp'
    if stamp.exists() and stamp.read_text() == stamp_key(venv, args.stack, device):
        return
    say(f'{venv}: MMDetection stack {args.stack}, {device}')
    # A stopped job cleans up as an interrupted one does, and leaves no compilers running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        set_up(venv, args.stack, device)
    except KeyboardInterrupt:
        fail('interrupted; what was finished is kept, so the next run goes on from there')
    stamp.write_text(stamp_key(venv, args.stack, device))
    say(f'ready in {time.monotonic() - start:.0f} s')


if __name__ == '__main__':
    main()
