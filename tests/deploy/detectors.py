"""Detectors of the shipped configs whose random weights give scores far apart."""

from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from torch import nn

import mmdet_lrm
from mmdet_lrm.deploy.models import build_detector, loading, prepare

NAMES = ('yolov2-tiny', 'yolov3-mobilenetv2', 'ssdlite')


def shipped(name: str) -> Config:
    return Config.fromfile(mmdet_lrm.config(name))


def spread(cfg: Config, folder: Path) -> tuple[nn.Module, dict]:
    """A detector whose maps have a deviation of 1.5 for two pictures, and these, prepared."""
    model = build_detector(cfg)
    data = prepare(model, loading(cfg), random_pictures(folder))
    with torch.no_grad():
        maps = model.bbox_head(model.extract_feat(data['inputs']))
    gains = [[1.5 / level.std().item() for level in levels] for levels in maps]

    def amplify(_module: nn.Module, _inputs: tuple, maps: tuple) -> tuple:
        return tuple(
            [level * gain for level, gain in zip(*each, strict=True)]
            for each in zip(maps, gains, strict=True)
        )

    model.bbox_head.register_forward_hook(amplify)
    return model, data


def random_pictures(folder: Path, number: int = 2) -> list[Path]:
    paths = [folder / f'{index}.png' for index in range(number)]
    for path in paths:
        cv2.imwrite(str(path), np.random.randint(0, 255, (90, 120, 3), np.uint8))
    return paths
