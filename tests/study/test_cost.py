"""What a run costs: the arithmetic by hand, and a measured step of a small network."""

from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.config import Config

from mmdet_lrm.study import cost
from mmdet_lrm.study.cost import Cost, Step

CONFIGS = Path(__file__).parents[2] / 'configs'


def config_of(epochs=10, batch=8, sizes=None, **loop):
    augments = [dict(type='BatchSyncRandomResize', random_size_range=sizes)] if sizes else None
    pipeline = [dict(type='Flip', scale=(1, 1)), dict(type='DarknetJitter', scale=(96, 64))]
    dataset = dict(data_root='a', pipeline=pipeline)
    return Config(
        dict(
            model=dict(data_preprocessor=dict(batch_augments=augments)),
            train_dataloader=dict(batch_size=batch, dataset=dict(datasets=[dataset, dataset])),
            train_cfg=dict(max_epochs=epochs, **loop),
            val_cfg=dict(type='ValLoop'),
        )
    )


STEP = Step(images=2, seconds=1.0, flops=60, kept=200, weights=1000, states=500)


def test_the_cost_of_a_run_by_hand():
    # Heights of 32, 64 and 96 px are areas of 1/4, 1 and 9/4 of the input's: 7/6 in the mean.
    config = config_of(epochs=6, batch=4, sizes=(32, 96), val_interval=3)
    found = cost.cost(config, STEP, (1200, 300))
    passes = 6 * 1200 * 7 / 6 + 2 * 300 / 3
    assert found == Cost(
        passes=pytest.approx(passes),
        hours=pytest.approx(passes * 0.5 / 3600),
        flops=pytest.approx(passes * 30),
        # Weights, gradients, states, and four of the largest images.
        memory=pytest.approx(1000 + 1000 + 500 + 4 * 100 * 9 / 4),
        disk=2 * 1500,
    )


def test_the_slower_of_loading_and_computing_decides():
    config = config_of(val_interval=99)
    assert cost.cost(config, STEP, (360, 0), loading=0.1).hours == pytest.approx(0.5)
    assert cost.cost(config, STEP, (360, 0), loading=2.0).hours == pytest.approx(2.0)


def test_images_are_loaded_by_all_workers_together(monkeypatch):
    config, loaded, clock = config_of(), [], iter([100.0, 116.0] * 2)
    config.train_dataloader.num_workers = 4
    images = MagicMock()
    images.__len__.return_value = 16
    images.__getitem__.side_effect = loaded.append
    monkeypatch.setattr(DATASETS, 'build', lambda config: images)
    monkeypatch.setattr(cost, 'time', SimpleNamespace(perf_counter=lambda: next(clock)))
    # Eight from all over the data, 2 s each.
    assert cost.loading_seconds(config) == 2 / 4
    assert loaded == [0, 2, 4, 6, 8, 10, 12, 14]
    config.train_dataloader.num_workers = 0
    assert cost.loading_seconds(config) == 2


@pytest.mark.parametrize(
    ('loop', 'number'),
    [
        (dict(val_interval=3), 4),  # 3, 6, 9, 10
        (dict(val_interval=5, dynamic_intervals=[(8, 1)]), 5),  # 5, 7, 8, 9, 10
        (dict(val_interval=5, dynamic_intervals=[(10, 1)]), 3),  # 5, 9, 10
        (dict(val_interval=5, dynamic_intervals=[(11, 1)]), 2),  # 5, 10
        (dict(val_interval=11), 1),  # the last, whatever the interval
        (dict(val_interval=3, val_begin=4), 3),  # 6, 9, 10
        (dict(val_begin=10), 1),
        (dict(val_begin=11), 0),
        (dict(), 10),
    ],
)
def test_evaluated_epochs_are_counted_as_mmengine_does(loop, number, evaluated_epochs):
    config = config_of(**loop)
    assert len(evaluated_epochs(config.train_cfg)) == number
    assert cost.evaluations(config) == number


def test_a_training_that_asks_for_no_evaluation_has_none():
    config = config_of()
    config.val_cfg = None
    assert cost.evaluations(config) == 0


def test_the_input_size_is_that_of_the_last_step_that_resizes():
    assert cost.input_size(config_of()) == (96, 64)
    assert cost.areas(config_of()) == (1.0, 1.0)


def test_a_step_is_measured_and_leaves_the_config_as_it_was():
    config = Config.fromfile(CONFIGS / 'yolov2_voc.py')
    config.model.update(backbone=dict(type='TinyYOLOV2', channels=(4,) * 3, pools=(2, 2, 0)))
    config.model.neck = None
    config.model.bbox_head.update(in_channels=4)
    for dataset in config.train_dataloader.dataset.datasets:
        dataset.pipeline[2].scale = (64, 32)
    before = config.to_dict()
    step = cost.measure(config)
    assert config.to_dict() == before
    # Three convolutions of 3 x 3 with batch norm, and 1 x 1 to five priors of 25 values.
    channels = [(3, 4, 9), (4, 4, 9), (4, 4, 9), (4, 125, 1)]
    assert step.weights == 4 * (sum(a * b * k for a, b, k in channels) + 3 * 2 * 4 + 125)
    assert step.states == step.weights  # one momentum each
    # Twice a multiplication, three times, but for the gradient of the image.
    cells = [64 * 32, 32 * 16, 16 * 8, 16 * 8]
    each = [2 * a * b * k * n for (a, b, k), n in zip(channels, cells, strict=True)]
    assert step.flops == 3 * sum(each) - each[0]
    # What the batch norms and activations of four channels keep is more than their inputs.
    assert step.kept > 4 * 4 * sum(cells[:3])
    assert (step.images, step.seconds > 0) == (1, True)


def test_a_step_on_a_cpu_takes_one_thread_and_gives_the_others_back(monkeypatch):
    threads, seen = torch.get_num_threads(), []
    monkeypatch.setattr(cost, '_seconds', lambda step: seen.append(torch.get_num_threads()) or 1)
    torch.set_num_threads(2)
    try:
        cost.measure(Config.fromfile(CONFIGS / 'yolov2-tiny_bccd.py'))
        assert (set(seen), torch.get_num_threads()) == ({1}, 2)
    finally:
        torch.set_num_threads(threads)


def test_what_is_kept_for_the_backward_pass_are_maps_and_no_weights():
    layer, image = torch.nn.Linear(3, 4, bias=False), torch.ones(5, 3, requires_grad=True)
    with cost.kept_bytes(layer) as kept:
        layer(image).sum()
        layer(image).sum()  # what is kept twice lies in one place
    assert kept == {image.untyped_storage().data_ptr(): 5 * 3 * 4}
