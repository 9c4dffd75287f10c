"""How things are timed: in turn, as often as they are short, and with what memory they take."""

import in_turn
import pytest
import torch


@pytest.fixture
def clock(monkeypatch):
    """A process whose CPU time goes on only where a form says so."""
    now = [0.0]
    monkeypatch.setattr(in_turn.time, 'process_time', lambda: now[0])
    return now


def form(name, seconds, clock, called):
    def run():
        called.append(name)
        clock[0] += seconds

    return run


def test_forms_are_timed_in_turn_and_each_runs_once_before(clock):
    called = []
    forms = {name: form(name, s, clock, called) for name, s in (('a', 0.005), ('b', 0.01))}
    times = in_turn.in_turn(forms, rounds=2)
    assert times == {'a': pytest.approx([5, 5]), 'b': pytest.approx([10, 10])}
    assert ''.join(called) == 'aabb' + 2 * 'aabb'


def test_what_is_short_is_done_several_times_in_a_measurement(clock):
    called = []
    times = in_turn.in_turn({'a': form('a', 0.001, clock, called)}, rounds=1)
    assert times == {'a': pytest.approx([1])}
    assert len(called) == 2 + 1 + 4


def test_a_ratio_is_the_median_of_the_rounds():
    times = {'ours': [2.0, 9.0, 3.0], 'plain': [1.0, 3.0, 2.0]}
    row = in_turn.compared('losses', 'x', times, 'ours', 'plain', 'memory', 1.5)
    assert (row.ours, row.theirs, row.ratio, row.bar) == (3.0, 2.0, 2.0, 1.5)
    assert (row.what, row.against, row.limit) == ('x', 'plain', 'memory')


def test_the_peak_of_memory_counts_what_is_alive_together():
    def work():
        for _ in range(3):  # a MiB each, one after the other
            torch.zeros(2**18)
        return torch.zeros(2**18), torch.zeros(2**19)

    assert in_turn.peak_mib(work) == pytest.approx(3, abs=0.01)
