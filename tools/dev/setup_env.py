"""Sets up the environment that `make` works in; standard library only.

    python3 tools/dev/setup_env.py --venv .venv --stack onedl

Steps: (1) nothing, if nothing changed since the last time; (2) say all that is missing; (3) torch,
for the CPU where there is no GPU; (4) mmcv from a folder of wheels, from the user's cache, or from
source; (5) the rest, and this package, editable; (6) try it. Environment variables: MMCV_WHEELS,
DEVICE, TORCH_INDEX_URL, MAX_JOBS.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from pathlib import Path

from environment import (
    ROOT,
    STACKS,
    choose_device,
    install_torch,
    make_venv,
    pinned,
    run,
    stamp_key,
    torch_attempts,
    trial,
)
from missing import fail, missing, say
from mmcv_wheels import cache_key, mmcv_wheels, ready_wheels, wheel_cache

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


def set_up(venv: Path, stack: str, device: str) -> None:
    """Steps 2 to 6."""
    (name, constraints), folder = STACKS[stack], os.environ.get('MMCV_WHEELS')
    version, torch_version = pinned(name, stack), pinned('torch', stack)
    kept = sorted(wheel_cache().glob(f'*torch{torch_version}*'))
    ready = ready_wheels(folder, kept, name, version)
    lacks = missing(venv, device, build_in=None if ready else wheel_cache())
    if lacks:
        fail('this machine lacks\n' + '\n'.join(f'  - {lack}' for lack in lacks))

    make_venv(venv)
    python = str(venv / 'bin' / 'python')
    pip = [python, '-m', 'pip', '--no-input', '--disable-pip-version-check']
    pins = ['-c', str(ROOT / constraints)]
    torch_version, compute = set_up_torch(python, pip, pins, device, torch_version)
    cache = wheel_cache() / cache_key(torch_version, compute)
    for wheel in mmcv_wheels(pip, folder, cache, name, version, compute):
        install(pip, '--no-deps', '--force-reinstall', str(wheel))
        say('MMDetection, the tools and mmdet_lrm')
        install(pip, *pins, '--no-build-isolation', '-e', f'{ROOT}[{stack},dev]')
        # Both OpenCV packages unpack into cv2/, and the last one wins. The one with windows needs
        # libGL, which a server lacks; nothing here opens a window of OpenCV's.
        opencv = f'opencv-python-headless=={pinned("opencv-python-headless", stack)}'
        install(pip, '--no-deps', '--force-reinstall', opencv)
        _, error = trial(python, TRIAL)
        if not error:
            break
        say(f'{wheel} does not work with torch {torch_version}:\n{error}')
    else:
        fail(f'the mmcv compiled here does not work either; see {cache / "build.log"}')
    _, error = trial(python, 'import mmdet.apis, mmdet_lrm')
    if error:
        fail(f'all is installed, and does not import:\n{error}')


def install(pip: list[str], *arguments: str) -> None:
    if run([*pip, 'install', '-qq', *arguments]):
        fail(f"`pip install {' '.join(arguments)}` failed; pip's message stands above")


def set_up_torch(
    python: str, pip: list[str], pins: list[str], device: str, version: str
) -> tuple[str, str]:
    """Torch, with what mmcv's build needs; its full version, and what it computes on."""
    if device == 'cpu':
        # DEVICE=cpu on a machine with a GPU: neither mmcv's build nor the trial must see it.
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    elif any(Path(python).parents[1].glob('lib/python*/site-packages/torch-*+cpu.dist-info')):
        # To pip the CPU build has the wanted version, and it would leave it there.
        run([*pip, 'uninstall', '-y', 'torch'])
    install_torch(pip, torch_attempts(version, device, os.environ.get('TORCH_INDEX_URL')))
    say("torch's requirements and the build tools")
    install(pip, *pins, f'torch=={version}', 'setuptools', 'wheel', 'ninja', 'packaging', 'numpy')
    found, error = trial(python, PROBE)
    if error:
        fail(f'torch was installed and does not import:\n{error}')
    version, compute = json.loads(found)
    if device == 'cuda' and compute == 'cpu':
        say(f'torch {version} cannot use the GPU (see `nvidia-smi`); mmcv is for the CPU')
    return version, compute


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
    # A stopped job cleans up as an interrupted one does, and leaves no compilers running. What it
    # starts are other programs, which do not take this over.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        set_up(venv, args.stack, device)
    except KeyboardInterrupt:
        fail('interrupted; what was finished is kept, so the next run goes on from there')
    stamp.write_text(stamp_key(venv, args.stack, device))
    say(f'ready in {time.monotonic() - start:.0f} s')


if __name__ == '__main__':
    main()
