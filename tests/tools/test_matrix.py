"""The matrix of Pythons and stacks."""

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path

import cells
import matrix
import pytest

REPORT = """<testsuites><testsuite>
<testcase classname="a" name="x"/>
<testcase classname="a" name="y"><skipped/></testcase>
<testcase classname="a" name="z"><failure>why</failure></testcase>
<testcase classname="b" name="at setup"><error>why</error></testcase>
</testsuite></testsuites>"""


def test_tests_are_counted_by_how_they_ended(tmp_path):
    (tmp_path / 'tests.xml').write_text(REPORT)
    counts = cells.counted(tmp_path / 'tests.xml')
    assert counts == dict(passed=1, skipped=1, failed=['a.z', 'b.at setup'])


def test_what_an_environment_lacks_is_how_the_last_error_of_the_set_up_begins():
    log = '[setup] torch 2\n[setup] error: torch could not be installed; tried: this, that\n'
    assert cells.reason(log) == 'torch could not be installed'
    assert cells.reason('Killed\n') == 'the set-up ended without a word'


def test_the_newest_python_of_pyenv_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv('PYENV_ROOT', str(tmp_path))
    for version in ('3.12.9', '3.12.10', '3.12-dev', '3.1.99'):
        (tmp_path / 'versions' / version / 'bin').mkdir(parents=True)
        (tmp_path / 'versions' / version / 'bin/python').touch()
    assert cells.find_python('3.12') == str(tmp_path / 'versions/3.12.10/bin/python')
    assert cells.find_python('3.99') is None


def test_a_command_ends_with_the_program_that_started_it(tmp_path):
    code = "import time; print('begun', flush=True); time.sleep(60)"
    log = tmp_path / 'log'

    def interrupt(*args):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 2)
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        cells.logged([sys.executable, '-c', code], log)
    signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - begin < 30


def test_without_torch_what_needs_none_is_tested(tmp_path, monkeypatch):
    ran = []

    def logged(command, log, **env):
        log.write_text('[setup] error: torch could not be installed; tried: nothing')
        ran.append(command[1:3])
        return int('tools/dev/setup_env.py' in command)

    monkeypatch.setenv('DEVICE', 'cpu')
    monkeypatch.setattr(cells, 'find_python', lambda version: 'python')
    monkeypatch.setattr(cells, 'logged', logged)
    monkeypatch.setattr(cells, 'tested', lambda command, tests, folder: dict(failed=[]))
    found = cells.run_cell('3.12', 'onedl', tmp_path / 'cell', [])
    assert found == dict(lacks='torch could not be installed', failed=[])
    assert ran[1:] == [['-m', 'compileall'], ['-m', 'venv'], ['-m', 'pip']]


@pytest.mark.parametrize(('again', 'ran'), [(False, ['3.10 b']), (True, ['3.10 a', '3.10 b'])])
def test_what_has_been_run_is_not_run_again_unless_it_is_asked_for(monkeypatch, again, ran):
    monkeypatch.setattr(matrix, 'run_cell', lambda python, stack, folder, tests: folder.name)
    args = argparse.Namespace(
        pythons=['3.10'], stacks=['a', 'b'], again=again, folder=Path('x'), tests=[]
    )
    *_, found = matrix.run(args, {'3.10 a': 'recorded'})
    assert [cell for cell, name in found.items() if name == cell.replace(' ', '-')] == ran


def test_the_table_has_a_row_a_cell_by_python():
    record = {
        '3.11 onedl': dict(passed=1800, skipped=2, failed=[]),
        '3.9 onedl': dict(lacks='none there', failed=['packages']),
    }
    assert list(matrix.table(record))[2:] == [
        '| 3.9 | onedl | 0 | 0 | 1 | without torch: none there |',
        '| 3.11 | onedl | 1,800 | 2 | 0 | all |',
    ]


WITHOUT = """import runpy, sys

class Absent:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition('.')[0] in ('torch', 'mmcv', 'mmdet', 'mmengine'):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)

sys.meta_path.insert(0, Absent)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def test_what_is_said_to_need_no_torch_needs_none():
    command = [sys.executable, '-c', WITHOUT, 'tools/dev/bare_pytest.py', '--collect-only', '-q']
    done = subprocess.run(
        [*command, *cells.BARE_TESTS], cwd=cells.ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_the_page_follows_the_record_after_each_cell(monkeypatch, tmp_path):
    written = []
    monkeypatch.setattr(sys, 'argv', ['matrix.py', '--pythons', '3.11', '--folder', str(tmp_path)])
    monkeypatch.setattr(matrix, 'record_of', lambda name: tmp_path / 'none.json')
    monkeypatch.setattr(matrix, 'run_cell', lambda *_: dict(passed=1, skipped=0, failed=[]))
    monkeypatch.setattr(matrix, 'write_record', lambda _, cells: written.append(len(cells)))
    monkeypatch.setattr(matrix, 'put_table', lambda _, table: written.append(len([*table][2:])))
    monkeypatch.setattr(signal, 'signal', lambda *_: None)
    with pytest.raises(SystemExit):
        matrix.main()
    assert written == [1, 1, 2, 2]
