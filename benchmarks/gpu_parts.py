"""What only an accelerator can show: steps that wait for nothing, and what share of its peak.

On a CPU everything runs as well, on small inputs, which proves the program and nothing else.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

import mmdet_lrm

HEADS = ('yolov2_lrm_voc.py', 'yolov3_lrm_voc.py', 'ssd300_lrm_voc.py')
SSD_SIDE = 300  # its last maps are single cells there, and there are none on smaller pictures
NETWORK = 'yolov2_voc.py'
SHAPES = ('img_shape', 'pad_shape', 'batch_input_shape')


class Size(NamedTuple):
    """How large it is tried."""

    side: int
    batch: int
    steps: int
    matrix: int
    """Rows and columns of the product that stands for the peak."""


FULL, SMALL = Size(416, 64, 20, 8192), Size(96, 2, 2, 256)


def detector(name: str, device: str) -> tuple[nn.Module, Config]:
    config = Config.fromfile(mmdet_lrm.config(name))
    config.model.backbone.init_cfg = None  # no weights are downloaded
    model = MODELS.build(config.model)
    model.init_weights()  # some of mmdet's are unset memory before it
    return model.to(device).train(), config


# --- steps that wait for nothing ------------------------------------------------------------------


def steps_without_waiting(name: str, device: str, size: Size) -> None:
    """Training steps of a config's detector, where torch refuses to wait for the device.

    Raises:
        RuntimeError: an operation of a step waits; the traceback says which.
    """
    if name.startswith('ssd'):
        size = size._replace(side=SSD_SIDE)
    model, config = detector(name, device)
    config.optim_wrapper.optimizer.lr = 0  # from random weights SSD would not stay finite
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    data = batch(size, device)
    for _ in range(2):  # the first steps set up what later ones use
        step(model, wrapper, *data)
    with refusing_to_wait(device):
        for _ in range(2):
            step(model, wrapper, *data)


def step(model: nn.Module, wrapper: object, images: torch.Tensor, samples: list) -> None:
    losses, _ = model.parse_losses(model.loss(images, samples))
    wrapper.update_params(losses)


def batch(size: Size, device: str) -> tuple[torch.Tensor, list]:
    """Images with a box, with none, and with a region to ignore."""
    images = torch.rand(size.batch, 3, size.side, size.side, device=device)
    box = torch.tensor([[0.1, 0.1, 0.7, 0.8]], device=device) * size.side
    samples = []
    for index in range(size.batch):
        shape = (size.side, size.side)
        sample = DetDataSample(
            metainfo=dict(img_shape=shape, pad_shape=shape, batch_input_shape=shape)
        )
        given, ignored = (box[: index % 2 == part] for part in (0, 1))
        labels = torch.zeros(len(given), dtype=torch.long, device=device)
        sample.gt_instances = InstanceData(bboxes=given, labels=labels)
        sample.ignored_instances = InstanceData(bboxes=ignored)
        samples.append(sample)
    return images, samples


@contextlib.contextmanager
def refusing_to_wait(device: str) -> Iterator[None]:
    if device != 'cuda':
        yield
        return
    torch.cuda.set_sync_debug_mode('error')
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode('default')


# --- how near it comes to its peak ----------------------------------------------------------------


class Speed(NamedTuple):
    """Of Darknet-19 with the layers of YOLOv2, in one form."""

    form: str
    images_per_second: float
    share_of_peak: float
    """Of the operations a second that a large product of matrices reaches in the same type."""


def speeds(device: str, size: Size, training: bool) -> Iterator[Speed]:
    forms = {'float32': (None, False), 'bfloat16': (torch.bfloat16, False)}
    if device == 'cuda':
        forms |= {'float16': (torch.float16, False), 'bfloat16, compiled': (torch.bfloat16, True)}
    model, _ = detector(NETWORK, device)
    model = model.to(memory_format=torch.channels_last)
    images = torch.rand(size.batch, 3, size.side, size.side, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    run = trained if training else inferred
    with FlopCounterMode(display=False) as counter:
        run(network(model, False), images, None)()
    for form, (dtype, compiled) in forms.items():
        seconds = timed(run(network(model, compiled), images, dtype), device, size.steps)
        rate = counter.get_total_flops() / seconds
        yield Speed(form, size.batch / seconds, rate / peak(device, dtype, size))


def network(model: nn.Module, compiled: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    def run(images: torch.Tensor) -> torch.Tensor:
        return model.bbox_head(model.extract_feat(images))[0][0]

    return torch.compile(run) if compiled else run


def inferred(net: Callable, images: torch.Tensor, dtype: torch.dtype | None) -> Callable:
    def run() -> None:
        with torch.no_grad(), precision(images, dtype):
            net(images)

    return run


def trained(net: Callable, images: torch.Tensor, dtype: torch.dtype | None) -> Callable:
    def run() -> None:
        with precision(images, dtype):
            maps = net(images)
        maps.float().square().mean().backward()

    return run


def precision(images: torch.Tensor, dtype: torch.dtype | None) -> contextlib.AbstractContextManager:
    if dtype is None:
        return contextlib.nullcontext()
    return torch.autocast(images.device.type, dtype=dtype)


def peak(device: str, dtype: torch.dtype | None, size: Size) -> float:
    """Operations a second of a product of two square matrices."""
    matrix = torch.rand(size.matrix, size.matrix, device=device, dtype=dtype)
    return 2 * size.matrix**3 / timed(lambda: matrix @ matrix, device, size.steps)


def timed(run: Callable[[], object], device: str, steps: int) -> float:
    """Seconds of a call, by steps of them after three that warm up."""
    for _ in range(3):
        run()
    wait(device)
    begin = time.perf_counter()
    for _ in range(steps):
        run()
    wait(device)
    return (time.perf_counter() - begin) / steps


def wait(device: str) -> None:
    if device == 'cuda':
        torch.cuda.synchronize()


def what_bounds_it(device: str, size: Size) -> str:
    """The profile of training steps in bfloat16, by the time of each kind of kernel."""
    model, _ = detector(NETWORK, device)
    images = torch.rand(size.batch, 3, size.side, size.side, device=device)
    run = trained(network(model, False), images, torch.bfloat16)
    run()
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device == 'cuda')
    with profile(activities=activities) as found:
        run()
        wait(device)
    by = 'self_cuda_time_total' if device == 'cuda' else 'self_cpu_time_total'
    return found.key_averages().table(sort_by=by, row_limit=12, max_name_column_width=50)
