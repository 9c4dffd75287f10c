"""What is seen of work that takes long, on a terminal."""

import io
import re

import pytest

from mmdet_lrm import progress
from mmdet_lrm.darknet import files


@pytest.fixture
def terminal(monkeypatch):
    """What a terminal is sent, with bars of even the shortest work."""
    shown = io.StringIO()
    monkeypatch.setattr(progress, 'BAR', dict(file=shown, disable=False))
    return shown


def test_a_step_is_named_while_it_is_done_and_counted_when_the_next_begins(terminal):
    with progress.steps(2) as begin:
        begin('first')
        begin('second')
    lines = re.findall(r'(\w+): +\d+%\|[^|]*\| (\d/\d)', terminal.getvalue())
    assert list(dict.fromkeys(lines)) == [('first', '0/2'), ('second', '1/2')]


def test_what_writes_darknets_files_says_what_it_does(terminal, tmp_path):
    said = []
    writers = {tmp_path / 'a.txt': lambda path: path.write_text('a')}
    files._write_all(writers, lambda path: f'{path.read_text()} agrees', said.append)
    names = re.findall(r'([\w. ]+): +\d+%', terminal.getvalue())
    assert list(dict.fromkeys(names)) == ['writing a.txt', 'comparing with another reading']
    assert said == ['a agrees'] and (tmp_path / 'a.txt').read_text() == 'a'


def test_what_is_no_terminal_is_sent_nothing(capfd):
    with progress.steps(1) as begin:
        begin('only')
    assert capfd.readouterr() == ('', '')
