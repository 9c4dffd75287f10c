"""Randomness that follows from the place in a training."""

import random

import numpy as np
import pytest
import torch
from mmdet.models.data_preprocessors import BatchSyncRandomResize
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from torch.utils.data import DataLoader
from toy_parts import NUM_IMAGES, ToyData
from toy_training import toy_runner

from mmdet_lrm.training.seeding import SIZES, RepeatableRandomHook


def images(tmp_path, epoch, dataset=None, **options):
    """By index what the training sees in an epoch; the indices' order is the sampler's."""
    runner = toy_runner(tmp_path, **options)
    loop = runner.build_train_loop(runner._train_loop)
    runner._train_loop = loop
    if dataset:
        loop.dataloader = DataLoader(dataset, batch_size=2, collate_fn=list)
    RepeatableRandomHook().before_train(runner)
    loop._epoch = epoch
    sampler = loop.dataloader.batch_sampler.sampler
    sampler.sampler.epoch = epoch  # as DistSamplerSeedHook does
    order = list(map(int, sampler))
    batches = [batch if dataset else batch['inputs'] for batch in loop.dataloader]
    drawn = [each['inputs'] if dataset else each for batch in batches for each in batch]
    return dict(zip(order, drawn, strict=True))


def same(first, second):
    return [torch.equal(first[index], second[index]) for index in sorted(first)]


def test_an_image_is_augmented_alike_with_any_workers_and_order(tmp_path):
    alone, workers = (images(tmp_path / str(n), 1, workers=n) for n in (0, 2))
    assert same(alone, workers) == [True] * NUM_IMAGES
    torch.rand(3), random.random(), np.random.rand()
    assert same(alone, images(tmp_path / 'later', 1)) == [True] * NUM_IMAGES


def test_another_epoch_image_or_seed_is_augmented_otherwise(tmp_path):
    first = images(tmp_path / '0', 0)
    assert same(first, images(tmp_path / '1', 1)) == [False] * NUM_IMAGES
    plain = ToyData(False)
    shifts = {(first[index] - plain[index]['inputs']).mean().item() for index in first}
    assert len(shifts) == NUM_IMAGES


class Drawn(BaseDataset):
    """Random numbers, drawn by a pipeline."""

    def load_data_list(self):
        return [{} for _ in range(NUM_IMAGES)]


def draw(results):
    return dict(inputs=torch.rand(4))


@pytest.mark.parametrize(
    'wrap', [lambda data: ConcatDataset([data, data]), lambda data: RepeatDataset(data, 2)]
)
def test_inside_a_wrapper_an_image_is_augmented_by_its_place_in_the_whole(tmp_path, wrap):
    wrapped = wrap(Drawn(pipeline=[draw], serialize_data=False))
    found = images(tmp_path / 'a', 0, wrapped)
    assert len(found) == 2 * NUM_IMAGES
    assert not any(torch.equal(found[n], found[n + NUM_IMAGES]) for n in range(NUM_IMAGES))
    assert all(same(found, images(tmp_path / 'b', 0, wrapped)))


def test_loading_draws_nothing_from_the_generators_of_the_model(tmp_path):
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    expected = torch.rand(()), np.random.rand(), random.random()
    runner = toy_runner(tmp_path)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    RepeatableRandomHook().before_train(runner)
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    loader = runner.train_loop.dataloader
    loader.dataset.__getitems__(list(loader.batch_sampler.sampler))
    assert (torch.rand(()), np.random.rand(), random.random()) == expected


def test_the_size_that_multi_scale_training_has_drawn_is_kept(tmp_path):
    hook, sizes = RepeatableRandomHook(), []
    for resumed in (False, True):
        runner = toy_runner(tmp_path, resume=resumed)
        runner.model.resize = BatchSyncRandomResize((320, 608))
        if not resumed:
            runner.model.resize._input_size = (352, 416)
            checkpoint = {}
            hook.before_save_checkpoint(runner, checkpoint)
            assert checkpoint == {SIZES: [(352, 416)]}
        hook.after_load_checkpoint(runner, checkpoint if resumed else {SIZES: [(1, 1)]})
        sizes.append(runner.model.resize._input_size)
    assert sizes == [(352, 416), (352, 416)]
