"""Hostile inputs, and the program that makes them."""

import random

import fuzz
import pytest
import trials
from parsers import PARSERS, Parser


def test_every_reader_that_is_named_can_be_tried():
    assert [*PARSERS] == [*fuzz.READERS]


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('name', PARSERS)
def test_a_reader_takes_what_is_whole_and_refuses_what_is_not(name, tmp_path):
    rng, parser, path, refused = random.Random(0), PARSERS[name], tmp_path / 'input', 0
    path.write_bytes(parser.inputs[0])
    parser.read(path)
    for number in range(100):
        path.write_bytes(trials.mutated(parser.inputs[number % len(parser.inputs)], rng))
        try:
            parser.read(path)
        except parser.errors:
            refused += 1
    assert refused


class Over(BaseException):
    """In place of the end of the process."""


def end(status):
    raise Over


def test_faults_are_counted_by_place_their_first_input_kept_and_tries_go_on(tmp_path, monkeypatch):
    def read(path):
        if path.read_bytes() > b'b':
            raise KeyError(path)

    monkeypatch.setitem(PARSERS, 'cfg', Parser(read, (b'a',)))
    monkeypatch.setattr('os._exit', end)
    trial = trials.Trial('cfg', tmp_path, tries=3, seconds=60)
    trial(b'a'), trial(b'bad')
    with pytest.raises(Over):
        trial(b'c')
    again = trials.Trial('cfg', tmp_path, tries=9, seconds=60).found
    assert again['tries'] == 3
    ((kind, count),) = again['faults'].items()
    assert kind.startswith('KeyError at test_fuzz.py:') and count == 2
    assert [file.read_bytes() for file in (tmp_path / 'cfg-faults').iterdir()] == [b'bad']
