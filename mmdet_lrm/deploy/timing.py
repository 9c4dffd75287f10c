"""How long a detector takes from a picture's file to its boxes, in the forms it can be run in."""

import copy
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmcv.cnn import fuse_conv_bn
from mmcv.transforms import Compose
from torch import nn
from tqdm import tqdm

from .detector import ExportError
from .exporting import limits
from .fast import accelerate, has_bf16
from .models import prepare
from .survivors import survivors

PHASES = ('preprocessing', 'network', 'nms')


class Form(NamedTuple):
    """One way to run a detector.

    Attributes:
        name: in the table.
        network: of prepared data, to what ``boxes`` takes.
        boxes: of that and the data, by the NMS if the network does not end with one.
    """

    name: str
    network: Callable[[dict], object]
    boxes: Callable[[object, dict], object]


class Row(NamedTuple):
    """Times of a form at one size of batch, in ms a batch; medians but for the percentiles."""

    form: str
    batch: int
    preprocessing: float
    network: float
    nms: float
    total: float
    p90: float
    p99: float
    images_per_second: float


def forms(model: nn.Module) -> Iterator[Form]:
    """Those that work on the device of the model, a plain one first."""
    device = next(model.parameters()).device
    yield of_torch('eager', model)
    yield of_torch('batch norm folded', fuse_conv_bn(copy.deepcopy(model)))
    fast = accelerate(copy.deepcopy(model))
    yield of_torch('folded, channels last', fast)
    if device.type == 'cuda' or shutil.which(os.environ.get('CXX', 'g++')):
        yield of_torch('the same, compiled', fast, torch.compile)
    if has_bf16(device):
        yield of_torch('folded, channels last, bf16', accelerate(copy.deepcopy(model), bf16=True))


def of_torch(name: str, model: nn.Module, wrap: Callable = lambda function: function) -> Form:
    network = wrap(lambda images: model.bbox_head(model.extract_feat(images)))

    def boxes(maps: tuple, data: dict) -> list:
        metas = [sample.metainfo for sample in data['data_samples']]
        return model.bbox_head.predict_by_feat(*maps, batch_img_metas=metas, rescale=True)

    return Form(name, lambda data: network(data['inputs']), boxes)


def of_onnx(path: Path, model: nn.Module, size: tuple[int, int], threads: int) -> Form:
    """A file of :func:`export`, whose network decodes its boxes, and may end with the NMS.

    Raises:
        ExportError: it is none, or for inputs of another ``size``, width and height.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ExportError(f"{error}; pip install 'mmdet_lrm[deploy]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=['CPUExecutionProvider']
        )
    except Exception as error:  # the errors of ONNX Runtime have no base of their own
        reason = str(error).splitlines()[0]
        raise ExportError(f"'{path}' cannot be read by ONNX Runtime: {reason}") from error
    height, width = session.get_inputs()[0].shape[2:]
    if (width, height) != size:
        raise ExportError(
            f"'{path}' takes inputs of {width} x {height}, and the config makes them {size[0]} x "
            f'{size[1]}; export it from this config'
        )

    def boxes(found: list[np.ndarray], _data: dict) -> None:
        if len(found) == 2:
            for candidates in zip(*found, strict=True):
                survivors(*map(torch.from_numpy, candidates), **limits(model))

    return Form(
        f'ONNX Runtime, {path.name}',
        lambda data: session.run(None, {'images': data['inputs'].cpu().numpy()}),
        boxes,
    )


@torch.no_grad()
def measure(
    forms: Sequence[Form],
    model: nn.Module,
    pipeline: Compose,
    pictures: Sequence[str | Path],
    batch: int,
    repeats: int,
) -> list[Row]:
    """Each form ``repeats`` times, in turn, so that what else the machine does falls on all alike.

    In its turn a form runs once before it is timed: what another left in the caches and in the
    allocator can cost a third more.

    Args:
        forms: to be measured.
        model: whose preprocessor prepares the pictures.
        pipeline: of :func:`models.loading`.
        pictures: taken in turn to fill the batches.
        batch: number of pictures in one.
        repeats: measurements of each.
    """
    given = cycle(pictures)
    seconds = np.zeros((len(forms), repeats, len(PHASES)))
    for repeat in tqdm(range(repeats), f'batches of {batch}', disable=None, leave=False):
        part = list(islice(given, batch))
        for index, form in enumerate(forms):
            run(form, model, pipeline, part)
            seconds[index, repeat] = run(form, model, pipeline, part)
    return [
        to_row(form.name, batch, times * 1000) for form, times in zip(forms, seconds, strict=True)
    ]


def run(form: Form, model: nn.Module, pipeline: Compose, pictures: Sequence) -> tuple[float, ...]:
    """Seconds of each phase."""
    start = clock()
    data = prepare(model, pipeline, pictures)
    prepared = clock()
    found = form.network(data)
    passed = clock()
    form.boxes(found, data)
    return prepared - start, passed - prepared, clock() - passed


def clock() -> float:
    """Seconds, when all that was asked of the accelerator is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def to_row(name: str, batch: int, times: np.ndarray) -> Row:
    """Of (repeats, phases) ms."""
    total = times.sum(axis=1)
    median, p90, p99 = np.percentile(total, (50, 90, 99)).tolist()
    phases = np.median(times, axis=0).tolist()
    return Row(name, batch, *phases, median, p90, p99, 1000 * batch / median)


def table(rows: Sequence[Row]) -> str:
    """Markdown; the network's share is of the first form at the same size of batch."""
    first = {row.batch: row.network for row in reversed(rows)}
    lines = [
        '| form | batch | preprocessing | network | of eager | NMS | all | p90 | p99 | images/s |',
        '|---|---|---|---|---|---|---|---|---|---|',
    ]
    for row in rows:
        cells = [
            *(row.form, str(row.batch), f'{row.preprocessing:.1f}', f'{row.network:.1f}'),
            *(f'{row.network / first[row.batch]:.2f}', f'{row.nms:.1f}', f'{row.total:.1f}'),
            *(f'{row.p90:.1f}', f'{row.p99:.1f}', f'{row.images_per_second:.1f}'),
        ]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)
