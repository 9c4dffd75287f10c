"""A compiled mmcv for one Python and one torch: found in folders of wheels, or built from source.

Standard library only; setup_env.py uses it.
"""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from missing import fail, missing_to_build, say

CORE_MINUTES = 28  # measured: mmcv 2.3.6, CPU operators, 2 cores
REPORT_SECONDS = 20


def find_wheel(folder: Path, name: str, version: str) -> Path | None:
    """The wheel of this version that fits this Python and machine, or None."""
    python = 'cp{}{}'.format(*sys.version_info[:2])
    pattern = f'{name.replace("-", "_")}-{version}-{python}-{python}-*{platform.machine()}.whl'
    return max(folder.glob(pattern), default=None)


def cache_key(torch_version: str, compute: str) -> str:
    """A compiled mmcv fits one Python, one torch and, on a GPU, one architecture."""
    python = 'cp{}{}'.format(*sys.version_info[:2])
    system = f'{platform.system()}-{platform.machine()}'.lower()
    return f'{python}-torch{torch_version}-{compute}-{system}'


def wheel_cache() -> Path:
    home = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(home, 'mmdet_lrm', 'wheels')


def ready_wheels(folder: str | None, cache: list[Path], name: str, version: str) -> dict[str, Path]:
    """Wheels that need no compiler, the best first, by where they come from."""
    wheels = {}
    if folder:
        wheels['MMCV_WHEELS'] = find_wheel(Path(folder), name, version)
        if wheels['MMCV_WHEELS'] is None:
            say(
                f"MMCV_WHEELS is '{folder}'; it holds no {name} {version} for CPython "
                f'{platform.python_version()} on {platform.machine()}'
            )
    for place in cache:
        wheels[str(place)] = find_wheel(place, name, version)
    return {label: wheel for label, wheel in wheels.items() if wheel}


def build_jobs(cores: int, memory_gb: float) -> int:
    """Compilers at a time: one for each core, and 2 GB for each of them."""
    return max(1, min(cores, int(memory_gb / 2)))


def progress(log: str, elapsed: float, estimate: float) -> str:
    """One line: files, minutes passed, minutes left; by the files' pace once ten are done.

    ninja begins the line of a file that it compiled with [12/78].
    """
    compiled = re.findall(r'^\s*\[(\d+)/(\d+)\]', log, re.MULTILINE)
    done, total = map(int, compiled[-1]) if compiled else (0, 0)
    if done >= 10:
        estimate = elapsed * total / done
    left = max(estimate - elapsed, 0) / 60
    share = f'{done} of {total} files compiled' if total else 'getting the source'
    return f'mmcv: {share}, {elapsed / 60:.1f} min passed, about {left:.0f} min left'


def build_mmcv(pip: list[str], name: str, version: str, cache: Path, compute: str) -> Path:
    """Compile mmcv from PyPI's source for the installed torch; the wheel's place in the cache.

    pip's own cache knows a wheel by name and version, not by torch's version, so it stays off.
    The wheel is moved to its place when it is whole: an interrupted build leaves nothing there.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    memory_gb = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9
    jobs = int(os.environ.get('MAX_JOBS') or build_jobs(cores, memory_gb))
    estimate = CORE_MINUTES * 60 / jobs
    say(
        f'compiling {name} {version} with {jobs} jobs, about {estimate / 60:.0f} min'
        + (' for its CPU part, and longer for CUDA' if compute != 'cpu' else '')
    )
    cache.mkdir(parents=True, exist_ok=True)
    log, start = cache / 'build.log', time.monotonic()
    options = ['--no-deps', '--no-binary', ':all:', '--no-build-isolation', '--no-cache-dir', '-vv']
    with tempfile.TemporaryDirectory(dir=cache, prefix='build-') as scratch, log.open('wb') as file:
        # Debug information would make 32 MB of the wheel's 1.5 MB, and the build longer.
        env = {**os.environ, 'CFLAGS': '-g0', 'CXXFLAGS': '-g0', 'MMCV_WITH_OPS': '1'}
        env.update(MAX_JOBS=str(jobs), FORCE_CUDA=str(int(compute != 'cpu')), TMPDIR=scratch)
        process = subprocess.Popen(
            [*pip, 'wheel', *options, '-w', scratch, f'{name}=={version}'],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                try:
                    process.wait(REPORT_SECONDS)
                except subprocess.TimeoutExpired:
                    text = log.read_text(errors='replace')
                    say(progress(text, time.monotonic() - start, estimate))
        finally:
            if process.poll() is None:  # interrupted: its compilers end with it
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
        wheel = find_wheel(Path(scratch), name, version)
        if process.returncode or wheel is None:
            lines = log.read_text(errors='replace').splitlines()
            errors = [line for line in lines if 'error' in line.lower()] or lines
            fail('mmcv could not be built:\n' + '\n'.join(errors[-15:]) + f'\nAll of it: {log}')
        os.replace(wheel, cache / wheel.name)
    say(f'mmcv compiled in {(time.monotonic() - start) / 60:.1f} min; kept in {cache}')
    return cache / wheel.name


def mmcv_wheels(
    pip: list[str], folder: str | None, cache: Path, name: str, version: str, compute: str
) -> Iterator[Path]:
    """Wheels of mmcv to try in turn; the last is compiled when the ready ones did not work."""
    for label, wheel in ready_wheels(folder, [cache], name, version).items():
        say(f'{wheel.name} from {label}')
        yield wheel
    lacks = missing_to_build(compute)
    if lacks:
        fail('to compile mmcv this machine lacks\n' + '\n'.join(f'  - {lack}' for lack in lacks))
    yield build_mmcv(pip, name, version, cache, compute)
