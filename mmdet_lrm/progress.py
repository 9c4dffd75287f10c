"""Progress of work whose steps are few, long, and not ours to look into."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

BAR = dict(delay=1, leave=False, disable=None)  # on a terminal, of what takes longer than 1 s


@contextmanager
def steps(number: int) -> Iterator[Callable[[str], None]]:
    """A bar of so many steps; what is yielded is called with what each does, as it begins."""
    with tqdm(total=number, unit='step', **BAR) as bar:
        done = itertools.count()

        def begin(what: str) -> None:
            bar.n = next(done)
            bar.set_description(what)

        yield begin
