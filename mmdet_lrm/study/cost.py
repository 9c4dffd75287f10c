"""What runs of a study will cost: hours, memory and disk, from a measured step of the detector."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from statistics import median

import torch
from mmdet.registry import DATASETS, MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..launch import find_datasets
from .plan import RESIZING

GB = 1e9
# A forward pass is a third of a step: the backward pass computes the gradients of the maps and of
# the weights.
FORWARD = 1 / 3
KEPT_CHECKPOINTS = 2
OBJECTS = 8  # in each of the random images
STEPS_ON_GPU, STEPS_ON_CPU = 5, 3


@dataclass(frozen=True)
class Step:
    """A training step on random images of the input's size, without mining."""

    images: int
    seconds: float
    flops: int
    """Of the forward and the backward pass of all images."""
    kept: int
    """Bytes that the forward pass keeps for the backward pass, of all images."""
    weights: int
    """Bytes of the weights, as many as of their gradients."""
    states: int
    """Bytes of the optimizer's states."""


@dataclass(frozen=True)
class Cost:
    """Of one run."""

    passes: float
    """Images that go forward and backward, counted in images of the input's size."""
    hours: float
    flops: float
    memory: float
    """Bytes on the device, with the largest images that the training draws."""
    disk: float
    """Bytes of the checkpoints that stay."""


def cost(config: Config, step: Step, images: tuple[int, int], loading: float = 0.0) -> Cost:
    """Of a run.

    Args:
        images: that train and that are evaluated.
        loading: seconds to load an image of the training, over all workers together; the slower
            of loading and computing decides.
    """
    mean, largest = areas(config)
    train, val = images
    passes = train * config.train_cfg.max_epochs * mean + evaluations(config) * val * FORWARD
    batch = config.train_dataloader.batch_size
    return Cost(
        passes=passes,
        hours=passes * max(step.seconds / step.images, loading) / 3600,
        flops=passes * step.flops / step.images,
        memory=2 * step.weights + step.states + step.kept / step.images * batch * largest,
        disk=KEPT_CHECKPOINTS * (step.weights + step.states),
    )


def input_size(config: Config) -> tuple[int, int]:
    """(w, h) in px to which the training brings its images, apart from random sizes."""
    first = next(find_datasets(config.train_dataloader))
    *_, last = (step for step in first.pipeline if step['type'] in RESIZING)
    return tuple(last['scale'])


def areas(config: Config) -> tuple[float, float]:
    """Mean and largest area of the sizes that batches are given at random, in input sizes."""
    height = input_size(config)[1]
    for each in config.model.data_preprocessor.get('batch_augments') or ():
        if each['type'] == 'BatchSyncRandomResize':
            divisor = each.get('size_divisor', 32)
            low, high = (round(side / divisor) for side in each['random_size_range'])
            found = [(divisor * k / height) ** 2 for k in range(low, high + 1)]
            return sum(found) / len(found), max(found)
    return 1.0, 1.0


def evaluations(config: Config) -> int:
    """How many epochs are evaluated: at an interval that may change, and at the end."""
    if not config.get('val_cfg'):
        return 0
    loop, end = config.train_cfg, config.train_cfg.max_epochs
    changes = [(0, loop.get('val_interval', 1)), *(loop.get('dynamic_intervals') or ())]
    number = 0
    for epoch in range(loop.get('val_begin', 1), end + 1):
        # MMEngine asks after an epoch for the interval of the next.
        every = [interval for begin, interval in changes if begin <= epoch + 1][-1]
        number += epoch % every == 0 or epoch == end
    return number


def measure(config: Config) -> Step:
    """A step after one to warm up: of the batch on a GPU, of one image on one thread of a CPU.

    Of several threads each waits for the last one, and that is sixteen times slower where another
    program holds a core.

    Raises:
        torch.OutOfMemoryError: the batch does not fit on the GPU.
    """
    device = get_device()
    images = 1 if device == 'cpu' else config.train_dataloader.batch_size
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmdet')):
        model = MODELS.build(fixed_size(config).model)
        model.init_weights()
        model.to(device).train()
        optim_wrapper = build_optim_wrapper(model, config.optim_wrapper)
    width, height = input_size(config)
    batch = random_batch(images, height, width, device)
    with FlopCounterMode(display=False) as counter, kept_bytes(model) as kept:
        model.train_step(batch(), optim_wrapper)
    with one_thread() if device == 'cpu' else nullcontext():
        times = [
            _seconds(lambda: model.train_step(batch(), optim_wrapper))
            for _ in range(STEPS_ON_CPU if device == 'cpu' else STEPS_ON_GPU)
        ]
    states = [
        value
        for each in optim_wrapper.optimizer.state.values()
        for value in each.values()
        if torch.is_tensor(value)
    ]
    return Step(
        images=images,
        seconds=median(times),
        flops=counter.get_total_flops(),
        kept=sum(kept.values()),
        weights=sum(map(_bytes, model.parameters())),
        states=sum(map(_bytes, states)),
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch computes on one thread within."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def fixed_size(config: Config) -> Config:
    """A copy whose batches keep the input's size, and that starts from no file."""
    config = deepcopy(config)
    config.model.data_preprocessor.batch_augments = None
    config.model.backbone.init_cfg = None
    return config


def random_batch(images: int, height: int, width: int, device: str) -> Callable[[], dict]:
    """Makes batches of one random image many times; a step changes the boxes of its batch."""

    def batch() -> dict:
        # From two classes on, of which every head has the first.
        made = demo_mm_inputs(
            images, (3, height, width), num_items=[OBJECTS] * images, num_classes=2, device=device
        )
        for sample in made['data_samples']:
            sample.gt_instances.labels.zero_()
        return made

    return batch


@contextmanager
def kept_bytes(model: nn.Module) -> Iterator[dict[int, int]]:
    """By address, the bytes that are kept for a backward pass within, apart from weights."""
    weights = {each.untyped_storage().data_ptr() for each in model.parameters()}
    found: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield found


def loading_seconds(config: Config, number: int = 8) -> float:
    """To load an image of the training, by all workers of the config together."""
    dataset = DATASETS.build(config.train_dataloader.dataset)
    number = min(number, len(dataset))
    begin = time.perf_counter()
    for index in range(number):
        dataset[index * len(dataset) // number]
    workers = max(config.train_dataloader.get('num_workers', 0), 1)
    return (time.perf_counter() - begin) / number / workers


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()
