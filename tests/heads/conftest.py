from collections.abc import Callable

import pytest
import torch
from mmengine.structures import InstanceData


@pytest.fixture(scope='session')
def random_instances() -> Callable[[int, int], list[InstanceData]]:
    """A function of the number of images and a seed: their truths, on 64 x 64 px."""
    return _random_instances


def _random_instances(num_images: int, seed: int) -> list[InstanceData]:
    """None to seven boxes an image, on a grid of 4 px so that overlaps tie, some of them twice."""
    rng = torch.Generator().manual_seed(seed)
    images = []
    for _ in range(num_images):
        num = torch.randint(0, 8, (1,), generator=rng).item()
        corners = torch.randint(0, 64 // 4, (num, 2, 2), generator=rng) * 4.0
        low, high = corners.amin(dim=1), corners.amax(dim=1) + 4
        bboxes = torch.cat([low, high], dim=1)
        if num > 3:
            bboxes[1] = bboxes[0]
        if num > 5:  # more than are compared at once
            bboxes[-1] = bboxes[2]
        images.append(
            InstanceData(bboxes=bboxes, labels=torch.randint(0, 3, (num,), generator=rng))
        )
    return images
