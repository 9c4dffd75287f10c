"""A virtual environment, what it depends on, where its torch comes from; standard library only."""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from missing import DISK_GB, fail, say

ROOT = Path(__file__).resolve().parents[2]
STACKS = {
    'onedl': ('onedl-mmcv', 'constraints.txt'),
    'upstream': ('mmcv', 'constraints-upstream.txt'),
}
# What an environment depends on beside the constraints.
PROGRAMS = ('setup_env', 'environment', 'mmcv_wheels')
INPUTS = ('setup.py', *(f'tools/dev/{name}.py' for name in PROGRAMS))
TORCH_CPU_INDEX = 'https://download.pytorch.org/whl/cpu'
# An index that does not answer must not cost minutes: there is another one to ask.
QUICK = ['--timeout', '15', '--retries', '0']


def stamp_key(venv: Path, stack: str, device: str, root: Path = ROOT) -> str:
    """Changes with whatever the environment depends on, and with a torch or mmcv put in by hand."""
    digest = hashlib.sha256()
    for path in [*sorted(root.glob('constraints*.txt')), *(root / name for name in INPUTS)]:
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


def run(command: list[str], quiet: bool = False) -> int:
    """Exit status of a command that gets no input; quiet hides its errors."""
    sink = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, stdin=subprocess.DEVNULL, stderr=sink).returncode


def trial(python: str, code: str) -> tuple[str, str]:
    """What a piece of code prints, and what it says when it fails."""
    ended = subprocess.run([python, '-W', 'ignore', '-c', code], capture_output=True, text=True)
    return ended.stdout, ended.stderr if ended.returncode else ''


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


def torch_attempts(version: str, device: str, index_url: str | None) -> list[tuple[str, list[str]]]:
    """Where torch may come from, in this order: what to say, and pip's arguments.

    On Linux the plain PyPI package holds CUDA and takes gigabytes, so for a CPU it comes last.
    Without dependencies: those come from PyPI with the rest.
    """
    plain = (f'torch {version} from PyPI', [f'torch=={version}'])
    if index_url:
        return [(f'torch {version} from {index_url}', [*plain[1], '--index-url', index_url])]
    if device == 'cuda' or platform.system() != 'Linux':
        return [plain]
    cpu = f'torch {version}, CPU build, from'
    return [
        (f"{cpu} pip's own folders", [f'torch=={version}+cpu', '--no-index']),
        (f'{cpu} {TORCH_CPU_INDEX}', [*plain[1], '--index-url', TORCH_CPU_INDEX, *QUICK]),
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
