"""What the smallest training trains: a model, its data, and a number by which it is judged."""

import random
from typing import NamedTuple

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmdet_lrm.mining.element_loss import LRMElementLoss

NUM_IMAGES = 6


class ToyData(torch.utils.data.Dataset):
    """Pictures of 3 x 8 x 8 numbers, shifted by each of the three generators."""

    def __init__(self, augmented: bool) -> None:
        self.pictures = torch.rand(NUM_IMAGES, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        self.augmented = augmented
        self.metainfo = dict(classes=('toy',))

    def __len__(self) -> int:
        return NUM_IMAGES

    def __getitem__(self, index: int) -> dict:
        shift = random.random() + np.random.rand() + torch.rand(()) if self.augmented else 0
        return dict(inputs=self.pictures[index] + shift)


class ToyModel(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.1))
        self.loss = LRMElementLoss('SmoothL1Loss', hard_ratio=0.5)

    def init_weights(self) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers[0].reset_parameters()

    def forward(self, inputs: list[Tensor], mode: str = 'tensor') -> object:
        found = self.layers(torch.stack(inputs))
        rows = found.movedim(1, 3).flatten(0, 2)  # each place of a map is an element
        return dict(loss=self.loss(rows, rows.detach().cos())) if mode == 'loss' else [found]


class ToyMetric(BaseMetric):
    """A number that any change of the weights changes, and that rises and falls with them."""

    default_prefix = 'toy'

    def process(self, data_batch: object, data_samples: list[Tensor]) -> None:
        self.results.append(data_samples[0].double().sum().item())

    def compute_metrics(self, results: list[float]) -> dict:
        return dict(score=float(np.sin(2 * np.sum(results))))


class Parts(NamedTuple):
    """What is trained, on what, and how it is judged."""

    model: BaseModel
    train: torch.utils.data.Dataset
    val: torch.utils.data.Dataset
    metric: BaseMetric


def toy_parts() -> Parts:
    return Parts(ToyModel(), ToyData(True), ToyData(False), ToyMetric())
