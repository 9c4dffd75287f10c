"""A known effect to be found by a comparison: labels that a training does not get."""

import zlib

import numpy as np
from mmdet.datasets.transforms import LoadAnnotations
from mmdet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadFewerAnnotations(LoadAnnotations):
    """LoadAnnotations without a share of the instances, whose objects then train as background.

    Which go depends on ``drop_seed``, the name of the image and the place of the instance in its
    list alone: they are the same in every epoch and in trainings of any seed.

    Args:
        drop_share: In [0, 1), the chance of an instance to go.
        drop_seed: Of another choice.
        kwargs: LoadAnnotations's.
    """

    def __init__(self, drop_share: float, drop_seed: int = 0, **kwargs) -> None:
        if not 0 <= drop_share < 1:
            raise ValueError(
                f'LoadFewerAnnotations.drop_share is {drop_share}; it must lie in [0, 1)'
            )
        super().__init__(**kwargs)
        self.drop_share = drop_share
        self.drop_seed = drop_seed

    def transform(self, results: dict) -> dict:
        name = zlib.crc32(str(results['img_id']).encode())
        instances = results['instances']
        drawn = np.random.default_rng([self.drop_seed, name]).random(len(instances))
        kept = [each for each, u in zip(instances, drawn, strict=True) if u >= self.drop_share]
        return super().transform(results | dict(instances=kept))
