"""Randomness that follows from the place in a training, so that one cut off goes on as before."""

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from mmdet.models.data_preprocessors import BatchSyncRandomResize
from mmdet.registry import HOOKS
from mmengine.dist import get_dist_info
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import Dataset, Sampler

SIZES = 'batch_input_sizes'
"""Where a checkpoint keeps the size that multi-scale training has drawn for the next batches."""


@HOOKS.register_module()
class RepeatableRandomHook(Hook):
    """Seed each augmentation by (seed, pass over the data, index), each step by (seed, iteration).

    An image is augmented alike whatever the number of workers and processes, whatever was drawn
    before it, and after a training was cut off; so two methods on one seed see the same images
    even if one of them was interrupted. Generators: python's, numpy's and torch's own.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        loader = runner.train_loop.dataloader
        batches = loader.batch_sampler
        # What torch asks of a data set, if there is one, for a whole batch of indices.
        loader.dataset.__getitems__ = partial(seeded_items, loader.dataset, runner.seed)
        if not isinstance(batches.sampler, PlacedIndices):
            batches.sampler = PlacedIndices(batches.sampler)
        batches.sampler.pass_of = pass_over_data(runner)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        seed_generators(runner.seed, 0, runner.iter)
        if torch.cuda.is_available():
            torch.cuda.manual_seed_all(torch.initial_seed())

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint[SIZES] = [each._input_size for each in batch_resizers(runner)]

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if runner._resume:
            for each, size in zip(batch_resizers(runner), checkpoint.get(SIZES, []), strict=False):
                each._input_size = size


class Placed(int):
    """An index of a data set that says in which pass over the data it is drawn."""

    over_data = 0


class PlacedIndices:
    """The indices of a sampler, each as :class:`Placed`; all else is the sampler's."""

    def __init__(self, sampler: Sampler) -> None:
        self.sampler = sampler
        self.pass_of: Callable[[int], int] = lambda number: 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.sampler, name)

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Placed]:
        for number, index in enumerate(self.sampler):
            placed = Placed(index)
            placed.over_data = self.pass_of(number)
            yield placed


def pass_over_data(runner: Runner) -> Callable[[int], int]:
    """By the number of an index that this process draws: in which pass over the data that is.

    The loop by iterations draws from one endless row of indices. Cut off, it begins there if
    MMEngine can skip in the row, else at its beginning, and loads what it has no use for.
    """
    loop = runner.train_loop
    if not isinstance(loop, IterBasedTrainLoop):
        return lambda number: loop.epoch
    rank, processes = get_dist_info()
    loader = loop.dataloader
    skips = hasattr(loop.dataloader_iterator, 'skip_iter') and hasattr(loader.sampler, 'skip')
    begin = skips * loop.iter * loader.batch_sampler.batch_size
    size = len(loader.dataset)
    return lambda number: ((begin + number) * processes + rank) // size


def seeded_items(dataset: Dataset, seed: int, indices: Sequence[Placed]) -> list:
    """A batch of a data set, each item drawn by generators that follow from its place."""
    with kept_generators():
        return [seeded_item(dataset, seed, index) for index in indices]


def seeded_item(dataset: Dataset, seed: int, index: Placed) -> object:
    seed_generators(seed, 1 + index.over_data, int(index))
    return dataset[int(index)]


def seed_generators(*numbers: int) -> None:
    """Start python's, numpy's and torch's generator (of the CPU) from numbers >= 0."""
    words = np.random.SeedSequence(numbers).generate_state(4)
    random.seed(words.tobytes())
    np.random.seed(words)
    torch.default_generator.manual_seed(int(words[:2].view(np.uint64)[0]))


@contextlib.contextmanager
def kept_generators() -> Iterator[None]:
    """In the process that trains, loading data draws nothing from the model's numbers."""
    states = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
    yield
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.default_generator.set_state(states[2])


def batch_resizers(runner: Runner) -> list[BatchSyncRandomResize]:
    """They draw a size for the next ten iterations, which mmdet keeps in no checkpoint."""
    return [each for each in runner.model.modules() if isinstance(each, BatchSyncRandomResize)]
