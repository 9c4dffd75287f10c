"""What inference costs: the tiny YOLOv2 of darknet in PyTorch, ONNX Runtime and OpenCV."""

import copy
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from in_turn import compared, in_turn
from mmcv.cnn import fuse_conv_bn
from mmengine.config import Config
from run_onnx import Model
from torch import nn

from mmdet_lrm.darknet.files import import_network
from mmdet_lrm.deploy.exporting import export
from mmdet_lrm.deploy.fast import accelerate, has_bf16
from mmdet_lrm.launch.models import build_detector
from mmdet_lrm.study.performance import Row
from mmdet_lrm.study.plan import set_input_size

GROUP = 'inference'
SIDE = 416


class Given(NamedTuple):
    """What the command line names."""

    cfg: Path
    weights: Path
    pictures: list[Path]


def network_alone(given: Given, rounds: int, quick: bool) -> Iterator[Row]:
    """From an array to maps, and where it is said to boxes, at 416 px."""
    with tempfile.TemporaryDirectory() as folder:
        model, onnx = imported(given, Path(folder), SIDE)
        for batch in (1,) if quick else (1, 16):
            yield from at_batch(batch, model, onnx, given, rounds if batch == 1 else 3, quick)


@torch.no_grad()
def at_batch(
    batch: int, model: nn.Module, onnx: Path, given: Given, rounds: int, quick: bool
) -> Iterator[Row]:
    images = torch.rand(batch, 3, SIDE, SIDE)
    forms = {
        'eager': of_torch(model, images),
        'batch norm folded': of_torch(fuse_conv_bn(copy.deepcopy(model)), images),
        'folded, channels last': of_torch(accelerate(copy.deepcopy(model)), images),
        'ONNX Runtime, decoding included': of_onnx(onnx, images),
        "OpenCV's DNN, decoding included": of_opencv(given, images),
    }
    if has_bf16(torch.device('cpu')):
        fast = accelerate(copy.deepcopy(model), bf16=True)
        forms['folded, channels last, bfloat16'] = of_torch(fast, images)
    if not quick:
        forms['the same, compiled'] = of_torch(accelerate(copy.deepcopy(model)), images, True)
    times = in_turn(forms, rounds)
    for name in list(forms)[1:]:
        limit, bar = limited(name, batch)
        yield compared(GROUP, f'batch of {batch}: {name}', times, name, 'eager', limit, bar)


def limited(form: str, batch: int) -> tuple[str, float | None]:
    """What keeps a form from being faster, and the share wanted of one picture at a time."""
    limits = {
        'folded, channels last': ('convolutions: nine tenths', 0.41),
        'ONNX Runtime, decoding included': ('convolutions: 92 %, decoding: 2 %', 0.25),
    }
    limit, bar = limits.get(form, ('', None))
    return limit, bar if batch == 1 else None


def from_files(given: Given, rounds: int, quick: bool) -> Iterator[Row]:
    """From a picture's file to boxes, NMS included, at the network's own size."""
    with tempfile.TemporaryDirectory() as folder:
        _, onnx = imported(given, Path(folder))
        forms = {
            'run_onnx.py': over(given.pictures, Model(onnx, 1)),
            'OpenCV with the .cfg': over(given.pictures, opencv_detector(given)),
        }
        times = in_turn(forms, rounds)
    limit = 'reading the file and the convolutions'
    what = f'from {len(given.pictures)} files to boxes'
    yield compared(GROUP, what, times, 'run_onnx.py', 'OpenCV with the .cfg', limit, 1.0)


def imported(given: Given, folder: Path, side: int | None = None) -> tuple[nn.Module, Path]:
    """The network and its exported file, which ends with the NMS where the size is its own."""
    name = folder / 'network'
    import_network(given.cfg, given.weights, name, say=lambda _: None)
    config = Config.fromfile(f'{name}.py')
    if side:
        set_input_size(config, (side, side))
    onnx = folder / 'network.onnx'
    export(config, Path(f'{name}.pth'), onnx, nms=side is None, pictures=given.pictures)
    return build_detector(config, f'{name}.pth').eval(), onnx


def of_torch(model: nn.Module, images: torch.Tensor, compiled: bool = False) -> Callable:
    def network(images: torch.Tensor) -> tuple:
        return model.bbox_head(model.extract_feat(images))

    return partial(torch.compile(network) if compiled else network, images)


def of_onnx(file: Path, images: torch.Tensor) -> Callable[[], object]:
    session = Model(file, 1).session
    return partial(session.run, None, {'images': images.numpy()})


def of_opencv(given: Given, images: torch.Tensor) -> Callable[[], object]:
    network = cv2.dnn.readNetFromDarknet(str(given.cfg), str(given.weights))
    network.setInput(images.numpy())
    names = network.getUnconnectedOutLayersNames()

    def run() -> object:
        network.setInput(images.numpy())  # else it finds that nothing changed
        return network.forward(names)

    return run


def opencv_detector(given: Given) -> Callable[[np.ndarray], object]:
    """OpenCV's own class for this: it prepares, runs, decodes, and suppresses."""
    detector = cv2.dnn.DetectionModel(str(given.weights), str(given.cfg))
    text = given.cfg.read_text().replace(' ', '').splitlines()
    width, height = (
        int(next(line for line in text if line.startswith(f'{key}=')).partition('=')[2])
        for key in ('width', 'height')
    )
    detector.setInputParams(1 / 255, (width, height), swapRB=True)
    return lambda picture: detector.detect(picture, 0.3, 0.45)


def over(pictures: list[Path], detect: Callable[[np.ndarray], object]) -> Callable[[], object]:
    return lambda: [detect(cv2.imread(str(each))) for each in pictures]


ROWS = (network_alone, from_files)
