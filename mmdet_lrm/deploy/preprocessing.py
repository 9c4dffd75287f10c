"""What a config does to a picture before the network, in the words of an exported file."""

from typing import NamedTuple

from mmdet.models import DetDataPreprocessor
from mmengine.config import Config
from torch import nn

from ..configs import pipeline_of
from .detector import ExportError


class Preprocessing(NamedTuple):
    """A picture is loaded as BGR, resized, put into ``channels`` order, and normalised.

    Attributes:
        width, height: of the input in px.
        resize: 'stretch', or 'letterbox': scaled to fit, on the middle of a canvas.
        fill: grey value of that canvas, in [0, 255].
        channels: 'RGB' or 'BGR'.
        mean, std: the input is ``(value - mean) / std`` of values in [0, 255].
    """

    width: int
    height: int
    resize: str
    fill: int
    channels: str
    mean: list[float]
    std: list[float]


def preprocessing(cfg: Config, preprocessor: nn.Module) -> Preprocessing:
    """Of the test pipeline and the model's preprocessor.

    Raises:
        ExportError: a step that an exported file cannot tell of.
    """
    resize = resize_step(pipeline_of(cfg.get('test_dataloader')))
    width, height = resize['scale']
    if type(preprocessor) is not DetDataPreprocessor:
        raise ExportError(
            f'data_preprocessor is {type(preprocessor).__name__}; DetDataPreprocessor can be '
            'exported'
        )
    divisor = preprocessor.pad_size_divisor
    if width % divisor or height % divisor:
        raise ExportError(
            f'data_preprocessor.pad_size_divisor={divisor} pads an input of {width} x {height}; '
            'choose a size that it divides'
        )
    resized = 'letterbox' if resize['type'] == 'DarknetLetterbox' else 'stretch'
    if resized == 'letterbox' and cfg.model.get('test_cfg', {}).get('clip_to_image'):
        raise ExportError(
            'test_cfg.clip_to_image cuts boxes at the picture, whose place in a letterbox an '
            'exported file does not know; set it to False'
        )
    mean, std = [0.0] * 3, [1.0] * 3
    if preprocessor._enable_normalize:
        mean = preprocessor.mean.flatten().tolist()
        std = preprocessor.std.flatten().tolist()
    return Preprocessing(
        width,
        height,
        resized,
        int(resize.get('fill', 127.5)),
        'RGB' if preprocessor._channel_conversion else 'BGR',
        mean,
        std,
    )


def resize_step(pipeline: list[dict]) -> dict:
    """The one step that fixes the size; all others only load and pack."""
    steps = [step for step in pipeline if step['type'] in ('Resize', 'DarknetLetterbox')]
    fixes_size = len(steps) == 1 and not (
        steps[0]['type'] == 'Resize' and steps[0].get('keep_ratio', False)
    )
    if not fixes_size or not isinstance(steps[0].get('scale'), (tuple, list)):
        raise ExportError(
            'the test pipeline must have one Resize(scale=(width, height), keep_ratio=False) or '
            f'DarknetLetterbox to be exported; it has {steps}'
        )
    allowed = ('LoadImageFromFile', 'LoadAnnotations', 'PackDetInputs')
    for step in pipeline:
        if step is not steps[0] and step['type'] not in allowed:
            raise ExportError(
                f'the test pipeline has the step {step["type"]}; beside its resizing it may have '
                f'{", ".join(allowed)}'
            )
        if step.get('color_type', 'color') != 'color':
            raise ExportError(
                f'the test pipeline loads {step["color_type"]} pictures; colour can be exported'
            )
    return steps[0]
