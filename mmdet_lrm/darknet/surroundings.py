"""What surrounds the layers of a detector in MMDetection, and what darknet makes of it.

Darknet gives its first layer RGB, or grey, in [0, 1], has one epsilon for batch norm, and stretches
images or letterboxes them. What can be taken into the numbers of a ``.weights`` file or the keys of
a ``.cfg`` without an error is; the rest is refused, or said in a warning where it is not of the
network.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from mmdet.models import DetDataPreprocessor
from mmengine.config import Config
from torch import nn

from ..configs import pipeline_of
from .cfg import DarknetError, Layer
from .describe import Described
from .reading import Deviation, cpu_deviation, gpu_deviation
from .weights import Arrays

# Of batch norm: that of an import, by which it equals pjreddie's darknet on a CPU, and that of
# darknet on a GPU and of AlexeyAB's.
CPU_EPSILON = 1e-12
GPU_EPSILON = 1e-5


class Input(NamedTuple):
    """What the test pipeline makes of an image."""

    width: int
    height: int
    letterbox: bool
    grey: bool


def pipeline_input(cfg: Config) -> Input:
    """Of the config's ``test_dataloader``; warns of what darknet does in another way.

    Raises:
        DarknetError: a step of the pipeline changes images as darknet cannot, or there is none that
            gives them one size.
    """
    resizes, grey = [], False
    for step in pipeline_of(cfg.get('test_dataloader')):
        kind = getattr(step['type'], '__name__', step['type']).rpartition('.')[2]
        if kind in ('Resize', 'DarknetLetterbox'):
            resizes.append((kind, step))
        elif kind == 'LoadImageFromFile':
            grey = step.get('color_type', 'color') == 'grayscale'
        elif kind == 'RandomGrayscale' and step.get('prob') == 1 and not step.get('keep_channels'):
            grey = True
        elif kind not in ('LoadAnnotations', 'PackDetInputs'):
            raise DarknetError(
                f'test_dataloader.dataset.pipeline of the config has the step {kind}, which '
                f'darknet does not have; it may load, resize (Resize, DarknetLetterbox) and pack'
            )
    if len(resizes) != 1 or not isinstance(resizes[0][1].get('scale'), (tuple, list)):
        raise DarknetError(
            'test_dataloader.dataset.pipeline of the config must have one Resize or '
            f'DarknetLetterbox with a scale of (width, height); it has {len(resizes)}'
        )
    ((kind, step),) = resizes
    width, height = step['scale']
    if kind == 'Resize' and step.get('keep_ratio', False):
        warnings.warn(
            'Resize of the config keeps the ratio of images; darknet stretches them, or puts them '
            'into the middle of a grey canvas (letter_box=1), so its boxes differ for images of '
            'another ratio than the input',
            stacklevel=2,
        )
    return Input(width, height, kind == 'DarknetLetterbox', grey)


def fold_epsilons(
    model: nn.Module, described: Sequence[Described], arrays: dict[int, Arrays]
) -> Deviation:
    """Change variances, in place, to what darknet's epsilon needs; returns its rule for them.

    They stay if the whole model has one of darknet's epsilons. Any other, e, makes them
    ``variance + e - 1e-5``.

    Raises:
        DarknetError: a variance would become negative.
    """
    epsilons = {
        index: model.get_submodule(f'{described[index].prefix}.bn').eps
        for index, each in arrays.items()
        if 'variance' in each
    }
    if set(epsilons.values()) <= {CPU_EPSILON}:
        return cpu_deviation
    for index, epsilon in epsilons.items():
        if epsilon == GPU_EPSILON:
            continue
        variance = arrays[index]['variance'].astype(np.float64) + epsilon - GPU_EPSILON
        if (variance < 0).any():
            raise DarknetError(
                f'{described[index].prefix}.bn has eps={epsilon:g} and a variance of '
                f'{variance.min() + GPU_EPSILON - epsilon:.3g}; with the 1e-5 of darknet it would '
                f'be negative'
            )
        arrays[index]['variance'] = variance.astype(np.float32)
    return gpu_deviation


def fold_preprocessing(preprocessor: nn.Module, image: Input, layer: Layer, arrays: Arrays) -> None:
    """Change the first layer's numbers, in place, so that it takes what darknet gives it.

    Of darknet's input x, the preprocessor makes ``(255 x - mean) / std``, with channels in its
    order: order and std go into the weights, mean into the bias, or the mean of the batch norm.

    Raises:
        DarknetError: it cannot be folded; so a mean where the layer pads, for zeros behind it are
            no zeros before it.
    """
    if type(preprocessor) is not DetDataPreprocessor:
        raise DarknetError(
            f'data_preprocessor is {type(preprocessor).__name__}; DetDataPreprocessor can be '
            f'exported'
        )
    divisor, channels = preprocessor.pad_size_divisor, layer.in_channels
    if image.width % divisor or image.height % divisor:
        raise DarknetError(
            f'data_preprocessor.pad_size_divisor={divisor} pads an input of {image.width} x '
            f'{image.height}, which darknet does not; choose an input that it divides'
        )
    if channels != (1 if image.grey else 3):
        raise DarknetError(
            f'{layer} takes images of {channels} channels; the test pipeline loads '
            f'{"grey" if image.grey else "coloured"} ones'
        )
    mean, std = np.zeros(channels), np.ones(channels)
    if preprocessor._enable_normalize:
        mean = np.resize(preprocessor.mean.numpy().astype(np.float64).ravel(), channels)
        std = np.resize(preprocessor.std.numpy().astype(np.float64).ravel(), channels)
    flip = channels == 3 and not preprocessor._channel_conversion
    if flip or mean.any() or (std != 255).any():
        _fold(layer, arrays, mean, std, flip)


def _fold(layer: Layer, arrays: Arrays, mean: np.ndarray, std: np.ndarray, flip: bool) -> None:
    """Into a convolution; ``flip`` if its channels are BGR."""
    if layer.kind != 'convolutional' or layer.settings['groups'] != 1:
        raise DarknetError(
            f'data_preprocessor gives no RGB in [0, 1] (mean 0, std 255, bgr_to_rgb), which cannot '
            f'be taken into the numbers of {layer}: it is no convolution in one group'
        )
    if mean.any() and layer.settings['padding']:
        raise DarknetError(
            f'data_preprocessor.mean is {mean.tolist()}, and {layer} pads: the border of its map '
            f'cannot be had from darknet, whose images begin at 0. Train with mean=[0, 0, 0]'
        )
    weights = arrays['weights'].astype(np.float64)
    shift = (weights * (mean / std)[:, None, None]).sum(axis=(1, 2, 3))
    weights = weights * (255 / std)[:, None, None]
    arrays['weights'] = (weights[:, ::-1] if flip else weights).astype(np.float32)
    if 'mean' in arrays:
        arrays['mean'] = (arrays['mean'] + shift).astype(np.float32)
    else:
        arrays['biases'] = (arrays['biases'] - shift).astype(np.float32)
