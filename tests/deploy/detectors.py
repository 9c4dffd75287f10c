"""Detectors of the shipped configs whose random weights give scores far apart."""

from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from torch import nn

import mmdet_lrm
from mmdet_lrm.deploy.models import loading, prepare
from mmdet_lrm.launch.models import build_detector

NAMES = ('yolov2-tiny', 'yolov3-mobilenetv2', 'ssdlite')


def shipped(name: str) -> Config:
    return Config.fromfile(mmdet_lrm.config(name))


def spread(cfg: Config, folder: Path) -> tuple[nn.Module, dict]:
    """A detector whose maps have a deviation of 0.5 over the cells of two pictures, and these.

    With torch's first weights the signal dies out in a deep network: its cells answer alike, and
    rounding chooses among the detections. With He's it stays.
    """
    model = build_detector(cfg)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    data = prepare(model, loading(cfg), random_pictures(folder))
    with torch.no_grad():
        maps = model.bbox_head(model.extract_feat(data['inputs']))
    means = [[level.mean((0, 2, 3), keepdim=True) for level in each] for each in maps]
    gains = [
        [0.5 / (level - mean).std() for level, mean in zip(*each, strict=True)]
        for each in zip(maps, means, strict=True)
    ]

    def standardise(_module: nn.Module, _inputs: tuple, maps: tuple) -> tuple:
        return tuple(
            [gain * (level - mean) for level, mean, gain in zip(*each, strict=True)]
            for each in zip(maps, means, gains, strict=True)
        )

    model.bbox_head.register_forward_hook(standardise)
    return model, data


def random_pictures(folder: Path, number: int = 2) -> list[Path]:
    paths = [folder / f'{index}.png' for index in range(number)]
    for path in paths:
        coarse = np.random.randint(0, 255, (6, 8, 3), np.uint8)
        cv2.imwrite(str(path), cv2.resize(coarse, (120, 90), interpolation=cv2.INTER_NEAREST))
    return paths
