"""What is mined, seen while it trains: a hook that logs numbers and draws pictures."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from mmdet.registry import HOOKS
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import Dataset

from ..configs import pipeline_of
from .diagnosis import GROUPS, MeasuringHook, PriorGradients, shares
from .lrm_loss import Miner
from .pictures import (
    MiningPictureError,
    annotated_pipeline,
    bare,
    draw_mining,
    mined_image,
    mining_head,
    rgb,
)


def mining_scalars(measured: PriorGradients, miner: Miner) -> dict[str, Tensor]:
    """How a step was mined.

    Returns:
        ``kept``, the share of the valid priors that train; ``positives_filtered``, the share of the
        positives that do not; ``gradient_positives``, ``gradient_hard`` and ``gradient_easy``, the
        shares of the gradient before mining, of which the easy one is taken out, summing to 1;
        ``rank_value``, the mean over the images of the smallest loss of a negative that trains.
        NaN of nothing.
    """
    losses = measured.losses
    kept = miner.hard_mask(losses)
    found = shares(measured, kept)
    easiest = miner.ranked_loss(losses.losses).masked_fill(~kept | losses.positive, torch.inf)
    easiest = easiest.amin(dim=1)
    return {
        'kept': kept.sum() / losses.valid.sum(),
        'positives_filtered': found['missed'],
        **{f'gradient_{group}': found[f'gradient/{group}'] for group in GROUPS},
        'rank_value': easiest[easiest.isfinite()].mean(),
    }


@HOOKS.register_module()
class MiningVisualizationHook(MeasuringHook):
    """Log how the mining goes, and draw what it makes of chosen images.

    ``custom_hooks = [dict(type='MiningVisualizationHook')]`` switches it on. Every log has the
    newest :func:`mining_scalars`, as ``mining/kept`` and so on. Pictures,
    :func:`.pictures.draw_mining`, go to the backends of the visualiser: files in ``vis_image`` of
    the run, TensorBoard, and what else MMEngine knows. Images are those of the training set,
    brought to the input as in an evaluation, so that they stay comparable.

    Args:
        interval: Iterations between two measurements.
        picture_interval: Iterations between two pictures of an image, the first one before any
            training, and the last after it; 0 draws none.
        images: Indices in the training set, or names of files with or without their suffix.
    """

    def __init__(
        self, interval: int = 50, picture_interval: int = 1000, images: Sequence[int | str] = (0,)
    ) -> None:
        super().__init__(interval)
        if picture_interval < 0:
            raise ValueError(
                f'MiningVisualizationHook.picture_interval is {picture_interval}; it must be at '
                'least 1, or 0 for no pictures'
            )
        self.picture_interval = picture_interval
        self.images = tuple(images)
        self._samples: dict[str, dict] = {}
        self._classes: Sequence[str] = ()

    def before_train(self, runner: Runner) -> None:
        mining_head(bare(runner.model))
        super().before_train(runner)
        if self.picture_interval and is_main_process():
            dataset = runner.train_dataloader.dataset
            pipeline = annotated_pipeline(evaluation_steps(runner.cfg))
            for info in chosen(dataset, self.images):
                self._samples[Path(info['img_path']).stem] = pipeline(info)
            self._classes = dataset.metainfo.get('classes', ())

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        super().before_train_iter(runner, batch_idx, data_batch)
        if self.picture_interval and runner.iter % self.picture_interval == 0:
            self.draw(runner)

    def report(self, runner: Runner, measured: PriorGradients) -> None:
        found = mining_scalars(measured, bare(runner.model).bbox_head.lrm)
        values = torch.stack([*found.values()]).tolist()  # waits for the accelerator once
        for name, value in zip(found, values, strict=True):
            if math.isfinite(value):
                runner.message_hub.update_scalar(f'train/mining/{name}', value)

    def after_train(self, runner: Runner) -> None:
        super().after_train(runner)
        self.draw(runner)

    def draw(self, runner: Runner) -> None:
        for name, sample in self._samples.items():
            mined = mined_image(bare(runner.model), sample)
            figure = draw_mining(mined, self._classes, f'{name}, iteration {runner.iter}')
            runner.visualizer.add_image(f'mining_{name}', rgb(figure), step=runner.iter)


def evaluation_steps(config: Config) -> list[dict]:
    """The pipeline by which the config evaluates.

    Raises:
        MiningPictureError: it evaluates nothing.
    """
    for loader in ('val_dataloader', 'test_dataloader'):
        if steps := pipeline_of(config.get(loader)):
            return steps
    raise MiningPictureError(
        'pictures need images as an evaluation loads them, and the config has no val_dataloader '
        'with a pipeline'
    )


def chosen(dataset: Dataset, images: Sequence[int | str]) -> Iterator[dict]:
    """What a data set, or one inside of wrappers, knows of images, by index or by name.

    Raises:
        MiningPictureError: it does not have one of them.
    """
    while hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    names = {}
    if any(isinstance(image, str) for image in images):
        for index in range(len(dataset)):
            path = Path(dataset.get_data_info(index)['img_path'])
            names |= {path.name: index, path.stem: index}
    for image in images:
        index = names.get(image, -1) if isinstance(image, str) else image
        if not 0 <= index < len(dataset):
            raise MiningPictureError(
                f'the data set has {len(dataset)} images, and none that is {image!r}; name one by '
                'its file, or by its index from 0 on'
            )
        yield dataset.get_data_info(index)
