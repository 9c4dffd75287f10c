"""Networks of darknet as detectors of MMDetection, and the numbers of both.

A ``.cfg`` is recognised as a detector whose own description (:mod:`mmdet_lrm.darknet.describe`)
equals it in all that its layers compute.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.hub import get_config
from mmengine.registry import DefaultScope
from torch import nn

from .cfg import DarknetError, Layer, Section, follow, input_shape
from .describe import Described, describe, describe_backbone, describe_body
from .weights import Arrays

# Darknet divides by the deviation plus 1e-6: this is the same for channels without any, and nearest
# to it for all others.
NORM = dict(type='BN', eps=1e-12, momentum=0.01)
LEAKY = dict(type='LeakyReLU', negative_slope=0.1)
YOLOV3_CONFIG = 'mmdet::yolo/yolov3_d53_8xb8-ms-416-273e_coco.py'
# What DarknetNet computes.
BODY_KINDS = {'convolutional', 'maxpool', 'route', 'reorg', 'upsample', 'shortcut'}


def build(model: dict) -> nn.Module:
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(ConfigDict(model))


# --- a .cfg to a detector -------------------------------------------------------------------------


def detector_config(sections: Sequence[Section], layers: Sequence[Layer]) -> dict:
    """The config of the detector that a ``.cfg`` describes.

    Raises:
        DarknetError: it is no detector, or one that cannot be expressed.
    """
    if any(layer.kind == 'yolo' for layer in layers):
        return _yolov3_config(sections, layers)
    if len(layers) < 2 or layers[-1].kind != 'region':
        end = layers[-1] if layers else sections[0]
        raise DarknetError(
            f'the network ends with {end}; a detector of darknet ends with a convolution and '
            f'[region] (YOLOv2) or [yolo] (YOLOv3). Of a classifier only the backbone can be '
            f'imported'
        )
    *body, prediction, region = layers
    channels, *input_size = input_shape(sections[0])
    head = _yolov2_head(prediction, region, input_size)
    for layer in body:
        if layer.kind not in BODY_KINDS:
            raise DarknetError(f'{layer} is not supported within a detector')
    test_cfg = dict(
        score_thr=0.005,
        nms=dict(type='nms', iou_threshold=0.45),
        max_per_img=200,
        clip_to_image=False,
    )
    preprocessor = data_preprocessor(channels, input_size)
    common = dict(type='SingleStageDetector', data_preprocessor=preprocessor)
    for backbone, neck in _candidates(body):
        model = common | dict(backbone=backbone, neck=neck, bbox_head=head, test_cfg=test_cfg)
        detector = build(model)
        if own_structure(sections[0], detector, describe_body(detector)) == structure(body):
            return model
    raise DarknetError('the network cannot be expressed as a detector of MMDetection')


def data_preprocessor(channels: int, input_size: Sequence[int]) -> dict:
    """Darknet's: RGB, or grey, in [0, 1]; an image of the input's size is not padded."""
    return dict(
        type='DetDataPreprocessor',
        mean=[0] * channels,
        std=[255.0] * channels,
        bgr_to_rgb=channels == 3,
        pad_size_divisor=math.gcd(32, *input_size),
    )


def _stride(region: Layer, input_size: Sequence[int]) -> int:
    height, width = input_size
    if width % region.width or height % region.height:
        raise DarknetError(f'the input is no whole multiple of the map of {region}')
    stride = width // region.width
    if stride != height // region.height:
        raise DarknetError(
            f'{region} has a map of {region.height} x {region.width} of an input of {height} x '
            f'{width}; YOLOV2Head needs the same stride down and across'
        )
    return stride


def _candidates(body: Sequence[Layer]) -> Iterator[tuple[dict, dict | None]]:
    """Backbones and necks that the layers may be, the plainest first."""
    convs = [layer for layer in body if layer.kind == 'convolutional']
    looks = {(each.settings['batch_normalize'], each.settings['activation']) for each in convs}
    # The named networks have one look.
    if len(looks) == 1 and body[0].kind == 'convolutional':
        ((normed, activation),) = looks
        look = dict(
            norm_cfg=NORM if normed else None, act_cfg=LEAKY if activation == 'leaky' else None
        )
        if len(convs) == 22:
            neck = dict(
                type='PassthroughNeck',
                out_channels=convs[-1].out_channels,
                passthrough_channels=convs[-2].out_channels,
            )
            yield dict(type='Darknet19', **look), neck | look
        yield from _plain_stack(body, convs, look)
    yield dict(type='DarknetNet', layers=[_spec(layer) for layer in body], norm_cfg=NORM), None


def _plain_stack(
    body: Sequence[Layer], convs: Sequence[Layer], look: dict
) -> Iterator[tuple[dict, None]]:
    """TinyYOLOV2, if poolings that it may have follow the convolutions."""
    pools = []
    for layer in body:
        if layer.kind == 'convolutional':
            pools.append(0)
        elif layer.kind == 'maxpool' and not pools[-1]:
            pools[-1] = layer.settings['stride']
    if set(pools) <= {0, 1, 2}:
        stack = dict(
            type='TinyYOLOV2',
            channels=tuple(each.out_channels for each in convs),
            kernel_sizes=tuple(each.settings['size'] for each in convs),
            pools=tuple(pools),
        )
        yield stack | look, None


def _spec(layer: Layer) -> dict:
    """The layer as DarknetNet takes it."""
    if layer.kind == 'convolutional':
        channels = dict(in_channels=layer.in_channels, filters=layer.out_channels)
        return dict(kind=layer.kind) | channels | layer.settings
    if layer.kind in ('route', 'shortcut'):
        return dict(kind=layer.kind, layers=list(layer.sources))
    return dict(kind=layer.kind) | layer.settings


def _yolov2_head(prediction: Layer, region: Layer, input_size: Sequence[int]) -> dict:
    section = region.section
    num, classes = section.integer('num', 5), section.integer('classes')
    pairs = _anchors(section)
    if section.integer('coords', 4) != 4 or section.integer('background', 0):
        raise DarknetError(f'{section} must have coords=4 and no background')
    if 'tree' in section.options or 'map' in section.options:
        raise DarknetError(f'{section} has a tree of classes (YOLO9000), which is not supported')
    if len(pairs) != num:
        raise DarknetError(f'{section} has num={num} and {2 * len(pairs)} numbers of anchors')
    if num < 1 or classes < 1:
        raise DarknetError(
            f'{section} has num={num} and classes={classes}; they must be at least 1'
        )
    _check_prediction(prediction, section, num * (5 + classes))
    stride = _stride(region, input_size)
    return dict(
        type='YOLOV2Head',
        num_classes=classes,
        in_channels=prediction.in_channels,
        anchor_generator=dict(
            type='YOLOAnchorGenerator',
            base_sizes=[[(w * stride, h * stride) for w, h in pairs]],
            strides=[stride],
        ),
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=not section.integer('softmax', 0)),
        coord_scale=section.number('coord_scale', 1.0),
        object_scale=section.number('object_scale', 1.0),
        noobject_scale=section.number('noobject_scale', 1.0),
        class_scale=section.number('class_scale', 1.0),
        rescore=bool(section.integer('rescore', 0)),
        neg_iou_thr=section.number('thresh', 0.5),
    )


def _check_prediction(prediction: Layer, section: Section, filters: int) -> None:
    """The layer before ``[region]`` is what YOLOV2Head has there."""
    if prediction.kind != 'convolutional':
        raise DarknetError(f'{prediction} before {section} is no convolution')
    settings, plain = prediction.settings, dict(size=1, stride=1, padding=0, groups=1)
    if any(settings[key] != value for key, value in plain.items()):
        raise DarknetError(
            f'{prediction} before {section} is no 1x1 convolution of stride 1 without padding and '
            f'groups'
        )
    if settings['batch_normalize'] or settings['activation'] != 'linear':
        raise DarknetError(f'{prediction} before {section} must be linear without batch norm')
    if prediction.out_channels != filters:
        raise DarknetError(
            f'{prediction} has {prediction.out_channels} filters; num * (5 + classes) of {section} '
            f'is {filters}'
        )


def _anchors(section: Section) -> list[tuple[float, float]]:
    """Widths and heights."""
    numbers = section.numbers('anchors')
    if len(numbers) % 2 or not all(0 < each < math.inf for each in numbers):
        raise DarknetError(f'{section} must have anchors in pairs of positive numbers')
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _yolov3_config(sections: Sequence[Section], layers: Sequence[Layer]) -> dict:
    """mmdet's YOLOv3 with Darknet-53, if that is what the layers are."""
    heads = [layer.section for layer in layers if layer.kind == 'yolo']
    model = get_config(YOLOV3_CONFIG).model.to_dict()
    classes, sizes = heads[0].integer('classes'), []
    for head in heads:
        pairs, mask = _anchors(head), head.integers('mask')
        if any(not 0 <= index < len(pairs) for index in mask):
            raise DarknetError(f'{head} has the mask {mask} of {len(pairs)} anchors')
        sizes.append([pairs[index] for index in mask])
    channels, *input_size = input_shape(sections[0])
    model['data_preprocessor'] = data_preprocessor(channels, input_size)
    model['backbone'].update(init_cfg=None, norm_cfg=NORM)
    model['neck'].update(norm_cfg=NORM)
    model['bbox_head'].update(
        type='LRMYOLOV3Head', num_classes=classes, ignore_iof_thr=0.5, norm_cfg=NORM
    )
    model['bbox_head']['anchor_generator']['base_sizes'] = sizes
    scale = _scale_x_y(heads)
    if scale != 1:
        model['bbox_head']['bbox_coder'] = dict(type='ScaledYOLOBBoxCoder', scale_x_y=scale)
    model['test_cfg'].update(score_thr=0.005, conf_thr=0.005)
    if len(heads) == 3 and len({len(each) for each in sizes}) == 1 and classes > 0:
        detector = build(model)
        if own_structure(sections[0], detector, describe(detector)) == structure(layers):
            return model
    raise DarknetError(
        f'the network has [yolo] layers and is not YOLOv3 with Darknet-53 (yolov3.cfg) on images '
        f'of 3 channels (these have {channels}), the only one of them that MMDetection has'
    )


def _scale_x_y(heads: Sequence[Section]) -> float:
    """That of all ``[yolo]`` layers; MMDetection decodes all of them by one coder."""
    scales = [head.number('scale_x_y', 1.0) for head in heads]
    if len(set(scales)) != 1 or not 1 <= scales[0] < math.inf:
        (odd, *_) = [head for head in heads if 'scale_x_y' in head.options]
        raise DarknetError(
            f'{odd.at("scale_x_y")}, of {", ".join(map(str, scales))} in all [yolo] sections; '
            f'supported is one number from 1 on for all of them'
        )
    return scales[0]


def backbone_description(
    sections: Sequence[Section], layers: Sequence[Layer]
) -> tuple[nn.Module, list[Described]]:
    """The backbone that the first layers are, and what it has of them.

    Raises:
        DarknetError: they are neither a detector's nor those of the classifiers Darknet-19 and
            Darknet-53.
    """
    if any(layer.kind in ('region', 'yolo') for layer in layers):
        model = build(detector_config(sections, layers))
        return model.backbone, describe_backbone(model.backbone)[0]
    candidates = [dict(type='Darknet19', norm_cfg=NORM), dict(type='Darknet', norm_cfg=NORM)]
    for backbone in map(build, candidates):
        found, _ = describe_backbone(backbone)
        if own_structure(sections[0], backbone, found) == structure(layers[: len(found)]):
            return backbone, found
    raise DarknetError(
        'the .cfg is neither a detector nor the classifier Darknet-19 or Darknet-53; no backbone '
        'here is it'
    )


def own_structure(net: Section, model: nn.Module, described: Sequence[Described]) -> list[tuple]:
    """Of a model on the input of ``net``, but with the channels that the model takes itself."""
    own_net = Section('net', net.options | dict(channels=str(image_channels(model))))
    return structure(follow([own_net, *(each.section for each in described)]))


def image_channels(model: nn.Module) -> int:
    """Of the images that the first convolution takes."""
    return next(each for each in model.modules() if isinstance(each, nn.Conv2d)).in_channels


def structure(layers: Sequence[Layer]) -> list[tuple]:
    """What must be equal for two networks to be one."""
    return [
        (
            layer.kind,
            layer.sources,
            layer.in_channels,
            layer.out_channels,
            layer.height,
            layer.width,
            layer.settings,
        )
        for layer in layers
    ]


# --- numbers --------------------------------------------------------------------------------------


def to_state_dict(
    described: Sequence[Described], arrays: dict[int, Arrays]
) -> dict[str, torch.Tensor]:
    """The arrays by index of the layer as parameters and buffers of the detector."""
    state = {}
    for index, (_, prefix) in enumerate(described):
        if prefix is None or index not in arrays:
            continue
        for name, values in arrays[index].items():
            key = _key(prefix, name, 'mean' in arrays[index])
            state[key] = torch.from_numpy(np.array(values))
    return state


def to_arrays(described: Sequence[Described], state: dict[str, torch.Tensor]) -> dict[int, Arrays]:
    """The inverse of :func:`to_state_dict`."""
    arrays = {}
    for index, (section, prefix) in enumerate(described):
        if prefix is None:
            continue
        normed = section.integer('batch_normalize', 0) != 0
        names = ['biases', 'scales', 'mean', 'variance'] if normed else ['biases']
        arrays[index] = {}
        for name in [*names, 'weights']:
            key = _key(prefix, name, normed)
            if key not in state:
                raise DarknetError(f'the checkpoint has no {key}; it belongs to another config')
            arrays[index][name] = state[key].float().cpu().numpy()
    return arrays


def _key(prefix: str, name: str, normed: bool) -> str:
    conv = (
        prefix
        if prefix.startswith(('bbox_head.conv_pred', 'bbox_head.convs_pred'))
        else (f'{prefix}.conv')
    )
    if name == 'weights':
        return f'{conv}.weight'
    if not normed:
        return f'{conv}.bias'
    parts = dict(biases='bias', scales='weight', mean='running_mean', variance='running_var')
    return f'{prefix}.bn.{parts[name]}'
