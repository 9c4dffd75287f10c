"""Things timed in turn, in CPU time, so that whatever else the machine does falls on all alike."""

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from torch.profiler import ProfilerActivity, profile

from mmdet_lrm.study.performance import Row

SHORTEST = 4e-3
"""Seconds that a measurement takes at least: a shorter thing is done several times."""


def in_turn(forms: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """By name, the CPU milliseconds of a call in each round.

    In its turn each runs once before it is timed, since what another left in the caches costs.
    """
    times = {name: [] for name in forms}
    calls = {name: number_of_calls(form) for name, form in forms.items()}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, form in forms.items():
                form()
                begin = time.process_time()
                for _ in range(calls[name]):
                    form()
                times[name].append(1000 * (time.process_time() - begin) / calls[name])
    finally:
        gc.enable()
    return times


def number_of_calls(form: Callable[[], object]) -> int:
    """How many calls make a measurement, by the second call: the first one warms up."""
    form()
    begin = time.process_time()
    form()
    return max(1, math.ceil(SHORTEST / max(time.process_time() - begin, 1e-6)))


def compared(
    group: str,
    what: str,
    times: Mapping[str, Sequence[float]],
    ours: str,
    theirs: str,
    limit: str,
    bar: float | None = None,
) -> Row:
    """The row of two of the things that :func:`in_turn` timed."""
    ratios = [one / other for one, other in zip(times[ours], times[theirs], strict=True)]
    return Row(
        group,
        what,
        statistics.median(times[ours]),
        limit,
        against=theirs,
        theirs=statistics.median(times[theirs]),
        ratio=statistics.median(ratios),
        bar=bar,
    )


def peak_mib(form: Callable[[], object]) -> float:
    """The most memory, in MiB, that tensors made by a call take on the CPU at one time."""
    form()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        form()
    now = peak = 0
    for event in found.profiler.kineto_results.events():
        if event.name() == '[memory]':
            now += event.nbytes()
            peak = max(peak, now)
    return peak / 2**20


def memory(group: str, what: str, against: str, ours: float, theirs: float, limit: str) -> Row:
    """The row of two peaks in MiB."""
    return Row(group, what, ours, limit, 'MiB', against, theirs, ours / theirs, 1.0)


def one_thread() -> None:
    torch.set_num_threads(1)
