"""The tests on one Python with one stack, in an environment of its own; standard library only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from environment import ROOT, TORCH_CPU_INDEX, choose_device

# Tests of what needs neither torch nor mmdet, and the packages that these need.
BARE_TESTS = [
    *(f'tests/kitti/test_{name}.py' for name in ('archives', 'drawing', 'evaluation', 'frames')),
    *(f'tests/kitti/test_{name}.py' for name in ('labels', 'result_files', 'splits')),
    *('tests/darknet/test_priors.py', 'tests/reading/test_text.py', 'tests/study/test_names.py'),
    *('tests/study/test_statistics.py', 'tests/tools/test_setup_env.py'),
]
BARE_PACKAGES = [
    *('hypothesis', 'matplotlib', 'numpy', 'opencv-python-headless', 'pillow', 'pytest', 'scipy'),
    *('terminaltables', 'tqdm'),
]
SOURCES = ['configs', 'mmdet_lrm', 'tests', 'tools', 'setup.py']


def find_python(version: str) -> str | None:
    """The newest of pyenv's, else the one on the path."""
    root = Path(os.environ.get('PYENV_ROOT', Path.home() / '.pyenv'))
    found = {
        int(path.parts[-3].split('.')[2]): str(path)
        for path in root.glob(f'versions/{version}.*/bin/python')
        if path.parts[-3].split('.')[2].isdigit()
    }
    return found[max(found)] if found else shutil.which(f'python{version}')


def run_cell(version: str, stack: str, folder: Path, tests: list[str]) -> dict:
    """What came out: counts of tests, names of those that failed, and what ``lacks``, if anything.

    Without torch or mmcv for this Python the files are compiled to bytes, and tests run that need
    neither.
    """
    python = find_python(version)
    if python is None:
        return dict(lacks=f'there is no Python {version} here', failed=[])
    folder.mkdir(parents=True, exist_ok=True)
    env = {}
    if choose_device(os.environ.get('DEVICE')) == 'cpu':
        # PyPI's torch for Linux holds CUDA: gigabytes that a CPU has no use for.
        env['TORCH_INDEX_URL'] = os.environ.get('TORCH_INDEX_URL') or TORCH_CPU_INDEX
    set_up = [python, 'tools/dev/setup_env.py', '--venv', str(folder / 'venv'), '--stack', stack]
    if logged(set_up, folder / 'setup.log', **env) == 0:
        return tested([str(folder / 'venv/bin/python'), '-m', 'pytest'], tests, folder)
    return dict(lacks=reason((folder / 'setup.log').read_text()), **run_bare(python, folder))


def logged(command: list[str], log: Path, **env: str) -> int:
    """Exit status of a command that gets no input and writes to a log; it ends if this does."""
    with log.open('w') as file:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, 'PYTHONPATH': str(ROOT), **env},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()  # the set-up then ends its compilers
            process.wait()
            raise


def reason(log: str) -> str:
    """Why an environment could not be set up: how the last error of setup_env.py begins."""
    errors = re.findall(r'^\[setup\] error: ([^;:\n]+)', log, re.MULTILINE)
    return errors[-1] if errors else 'the set-up ended without a word'


def run_bare(python: str, folder: Path) -> dict:
    """Compile every file to bytes, and run the tests that need no torch."""
    bare = str(folder / 'bare/bin/python')
    steps = {
        'bytes': [python, '-m', 'compileall', '-q', *SOURCES],
        'venv': [python, '-m', 'venv', str(folder / 'bare')],
        'packages': [bare, '-m', 'pip', 'install', '-c', 'constraints.txt', *BARE_PACKAGES],
    }
    for name, command in steps.items():
        # Beside, or other Pythons' byte code would fill the checkout.
        if logged(command, folder / f'{name}.log', PYTHONPYCACHEPREFIX=str(folder / 'bytes')):
            return dict(failed=[name])
    return tested([bare, 'tools/dev/bare_pytest.py'], ['-m', 'not slow', *BARE_TESTS], folder)


def tested(command: list[str], tests: list[str], folder: Path) -> dict:
    """Counts of pytest, by its report for machines."""
    report = folder / 'tests.xml'
    report.unlink(missing_ok=True)
    logged([*command, '-q', f'--junitxml={report}', *tests], folder / 'tests.log')
    if not report.exists():
        return dict(failed=['pytest ended without a report'])
    return counted(report)


def counted(report: Path) -> dict:
    cases = list(ElementTree.parse(report).iter('testcase'))
    failed = [
        f'{case.get("classname")}.{case.get("name")}'
        for case in cases
        if case.find('failure') is not None or case.find('error') is not None
    ]
    skipped = sum(case.find('skipped') is not None for case in cases)
    return dict(passed=len(cases) - skipped - len(failed), skipped=skipped, failed=failed)
