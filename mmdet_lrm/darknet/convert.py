"""Networks of darknet to detectors of MMDetection and back.

Both ways go through one description: the sections of a ``.cfg`` in their order, and beside each
convolution the module of the detector that holds its numbers. A detector describes itself; a
``.cfg`` is recognised as a detector whose description equals it.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmcv.cnn import ConvModule
from mmdet.models.backbones import Darknet
from mmdet.models.dense_heads import YOLOV3Head
from mmdet.models.necks import YOLOV3Neck
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from torch import nn

from ..heads import YOLOV2Head
from .cfg import DarknetError, Layer, Section, follow
from .imported import DarknetNet
from .neck import PassthroughNeck
from .networks import DarknetStack
from .weights import Arrays

# Darknet divides by the deviation plus 1e-6: this is the same for channels without any, and nearest
# to it for all others.
NORM = dict(type='BN', eps=1e-12, momentum=0.01)
LEAKY = dict(type='LeakyReLU', negative_slope=0.1)
PREPROCESSOR = dict(
    type='DetDataPreprocessor',
    mean=[0, 0, 0],
    std=[255.0, 255.0, 255.0],
    bgr_to_rgb=True,
    pad_size_divisor=32,
)
YOLOV3_CONFIG = 'mmdet::yolo/yolov3_d53_8xb8-ms-416-273e_coco.py'


class Described(NamedTuple):
    """A section, and the prefix of its parameters in the detector's state dict if it has any."""

    section: Section
    prefix: str | None = None


def build(model: dict) -> nn.Module:
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(ConfigDict(model))


# --- a .cfg to a detector -------------------------------------------------------------------------


def detector_config(sections: Sequence[Section], layers: Sequence[Layer]) -> dict:
    """The config of the detector that a ``.cfg`` describes.

    Raises:
        DarknetError: it is no detector, or one that cannot be expressed.
    """
    kinds = {layer.kind for layer in layers}
    if 'yolo' in kinds:
        return _yolov3_config(sections, layers)
    if layers[-1].kind != 'region':
        raise DarknetError(
            f'the network ends with {layers[-1]}; a detector of darknet ends with [region] '
            f'(YOLOv2) or [yolo] (YOLOv3). Of a classifier only the backbone can be imported'
        )
    *body, prediction, region = layers
    head = _yolov2_head(prediction, region, stride=sections[0].integer('width') / region.width)
    unknown = kinds - {
        'convolutional', 'maxpool', 'route', 'reorg', 'region', 'upsample', 'shortcut'
    }  # fmt: skip
    if unknown:
        raise DarknetError(f'a detector with {", ".join(sorted(unknown))} layers is not supported')
    test_cfg = dict(
        score_thr=0.005,
        nms=dict(type='nms', iou_threshold=0.45),
        max_per_img=200,
        clip_to_image=False,
    )
    common = dict(type='SingleStageDetector', data_preprocessor=PREPROCESSOR)
    for backbone, neck in _candidates(body):
        model = common | dict(backbone=backbone, neck=neck, bbox_head=head, test_cfg=test_cfg)
        if structure(follow([sections[0], *_body(build(model))])) == structure(body):
            return model
    raise DarknetError('the network cannot be expressed as a detector of MMDetection')


def _candidates(body: Sequence[Layer]) -> Iterator[tuple[dict, dict | None]]:
    """Backbones and necks that the layers may be, the plainest first."""
    convs = [layer for layer in body if layer.kind == 'convolutional']
    uniform = len({(each.batch_normalize, each.activation) for each in convs}) == 1
    look = dict(
        norm_cfg=NORM if convs and convs[0].batch_normalize else None,
        act_cfg=LEAKY if convs and convs[0].activation == 'leaky' else None,
    )
    if uniform and len(convs) == 22 and any(layer.kind == 'reorg' for layer in body):
        yield (
            dict(type='Darknet19', **look),
            dict(
                type='PassthroughNeck',
                out_channels=convs[-1].out_channels,
                passthrough_channels=convs[-2].out_channels,
                **look,
            ),
        )
    if uniform and body[0].kind == 'convolutional':
        pools = []
        for layer in body:
            if layer.kind == 'convolutional':
                pools.append(0)
            elif layer.kind == 'maxpool' and not pools[-1]:
                pools[-1] = layer.stride
        if set(pools) <= {0, 1, 2}:
            yield (
                dict(
                    type='TinyYOLOV2',
                    channels=tuple(each.out_channels for each in convs),
                    kernel_sizes=tuple(each.size for each in convs),
                    pools=tuple(pools),
                    **look,
                ),
                None,
            )
    yield dict(type='DarknetNet', layers=[_spec(layer) for layer in body], norm_cfg=NORM), None


def _spec(layer: Layer) -> dict:
    """The layer as DarknetNet takes it."""
    if layer.kind == 'convolutional':
        return dict(
            kind=layer.kind,
            in_channels=layer.in_channels,
            filters=layer.out_channels,
            size=layer.size,
            stride=layer.stride,
            padding=layer.padding,
            batch_normalize=layer.batch_normalize,
            activation=layer.activation,
        )
    if layer.kind == 'maxpool':
        size = layer.section.integer('size', layer.stride)
        padding = layer.section.integer('padding', size - 1)
        return dict(kind=layer.kind, size=size, stride=layer.stride, padding=padding)
    if layer.kind in ('route', 'shortcut'):
        return dict(kind=layer.kind, layers=list(layer.sources))
    return dict(kind=layer.kind, stride=layer.section.integer('stride', 2))


def _yolov2_head(prediction: Layer, region: Layer, stride: float) -> dict:
    section = region.section
    num, classes = section.integer('num', 5), section.integer('classes')
    anchors = section.numbers('anchors')
    if section.integer('coords', 4) != 4 or section.integer('background', 0):
        raise DarknetError(f'{section} must have coords=4 and no background')
    if 'tree' in section.options or 'map' in section.options:
        raise DarknetError(f'{section} has a tree of classes (YOLO9000), which is not supported')
    if len(anchors) != 2 * num:
        raise DarknetError(f'{section} has num={num} and {len(anchors)} numbers of anchors')
    expected = num * (5 + classes)
    if prediction.kind != 'convolutional' or (prediction.size, prediction.stride) != (1, 1):
        raise DarknetError(f'{prediction} before {section} is no 1x1 convolution of stride 1')
    if prediction.batch_normalize or prediction.activation != 'linear':
        raise DarknetError(f'{prediction} before {section} must be linear without batch norm')
    if prediction.out_channels != expected:
        raise DarknetError(
            f'{prediction} has {prediction.out_channels} filters; num * (5 + classes) of {section} '
            f'is {expected}'
        )
    if stride != int(stride):
        raise DarknetError(f'the input is no whole multiple of the map of {region}')
    pairs = list(zip(anchors[::2], anchors[1::2], strict=True))
    return dict(
        type='YOLOV2Head',
        num_classes=classes,
        in_channels=prediction.in_channels,
        anchor_generator=dict(
            type='YOLOAnchorGenerator',
            base_sizes=[[(w * stride, h * stride) for w, h in pairs]],
            strides=[int(stride)],
        ),
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=not section.integer('softmax', 0)),
        coord_scale=section.number('coord_scale', 1.0),
        object_scale=section.number('object_scale', 1.0),
        noobject_scale=section.number('noobject_scale', 1.0),
        class_scale=section.number('class_scale', 1.0),
        rescore=bool(section.integer('rescore', 0)),
        neg_iou_thr=section.number('thresh', 0.5),
    )


def _yolov3_config(sections: Sequence[Section], layers: Sequence[Layer]) -> dict:
    """mmdet's YOLOv3 with Darknet-53, if that is what the layers are."""
    from mmengine.hub import get_config

    heads = [layer for layer in layers if layer.kind == 'yolo']
    model = get_config(YOLOV3_CONFIG).model.to_dict()
    classes, sizes = heads[0].section.integer('classes'), []
    for head in heads:
        anchors, mask = head.section.numbers('anchors'), head.section.integers('mask')
        pairs = list(zip(anchors[::2], anchors[1::2], strict=True))
        if any(not 0 <= index < len(pairs) for index in mask):
            raise DarknetError(f'{head.section} has the mask {mask} of {len(pairs)} anchors')
        sizes.append([pairs[index] for index in mask])
    model['backbone'].update(init_cfg=None, norm_cfg=NORM)
    model['neck'].update(norm_cfg=NORM)
    model['bbox_head'].update(
        type='LRMYOLOV3Head', num_classes=classes, ignore_iof_thr=0.5, norm_cfg=NORM
    )
    model['bbox_head']['anchor_generator']['base_sizes'] = sizes
    model['test_cfg'].update(score_thr=0.005, conf_thr=0.005)
    if len(heads) == 3 and len({len(each) for each in sizes}) == 1:
        described = [each.section for each in describe(build(model))]
        if structure(follow([sections[0], *described])) == structure(layers):
            return model
    raise DarknetError(
        'the network has [yolo] layers and is not YOLOv3 with Darknet-53 (yolov3.cfg), the only '
        'one of them that MMDetection has'
    )


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
        )
        + (
            (layer.size, layer.stride, layer.padding, layer.batch_normalize, layer.activation)
            if layer.kind == 'convolutional'
            else ()
        )
        for layer in layers
    ]


# --- a detector to a .cfg -------------------------------------------------------------------------


def describe(model: nn.Module) -> list[Described]:
    """All sections behind ``[net]`` of a detector.

    Raises:
        DarknetError: darknet cannot express it.
    """
    head = model.bbox_head
    if isinstance(head, YOLOV3Head):
        return _describe_yolov3(model)
    if not isinstance(head, YOLOV2Head):
        raise DarknetError(
            f'the head is {type(head).__name__}; YOLOV2Head and YOLOV3Head can be exported'
        )
    base = _describe_backbone(model)
    prediction = conv_section(head.conv_pred)
    return [*base, Described(prediction, 'bbox_head.conv_pred'), Described(_region(head))]


def _body(model: nn.Module) -> list[Section]:
    return [each.section for each in _describe_backbone(model)]


def _describe_backbone(model: nn.Module) -> list[Described]:
    """The sections below YOLOv2's prediction."""
    backbone, neck = model.backbone, getattr(model, 'neck', None)
    if isinstance(backbone, DarknetNet):
        found = [
            _describe_spec(spec, f'backbone.layers.{index}', index)
            for index, spec in enumerate(backbone.specs)
        ]
        tap = None
    elif isinstance(backbone, DarknetStack):
        found, tap = [], None
        for index, (stage, pool) in enumerate(zip(backbone.stages, backbone.pools, strict=True)):
            for inner, module in enumerate(stage):
                found.append(Described(conv_section(module), f'backbone.stages.{index}.{inner}'))
            if index == backbone.out_indices[0]:
                tap = len(found) - 1
            if not isinstance(pool, nn.Identity):
                stride = 2 if isinstance(pool, nn.MaxPool2d) else 1
                found.append(Described(Section('maxpool', dict(size='2', stride=str(stride)))))
    else:
        raise DarknetError(
            f'the backbone is {type(backbone).__name__}; Darknet19, TinyYOLOV2 and DarknetNet '
            f'can be exported with YOLOV2Head'
        )
    if neck is None:
        return found
    if not isinstance(neck, PassthroughNeck) or tap is None or len(backbone.out_indices) != 2:
        raise DarknetError(f'the neck is {type(neck).__name__}, which cannot be exported here')
    for inner, module in enumerate(neck.convs):
        found.append(Described(conv_section(module), f'neck.convs.{inner}'))
    last = len(found) - 1
    found.append(Described(Section('route', dict(layers=str(tap - len(found))))))
    found.append(Described(conv_section(neck.passthrough), 'neck.passthrough'))
    found.append(Described(Section('reorg', dict(stride='2'))))
    found.append(Described(Section('route', dict(layers=f'-1,{last - len(found)}'))))
    found.append(Described(conv_section(neck.fuse), 'neck.fuse'))
    return found


def _describe_spec(spec: dict, prefix: str, index: int) -> Described:
    kind = spec['kind']
    if kind == 'convolutional':
        options = dict(
            batch_normalize=int(spec['batch_normalize']),
            filters=spec['filters'],
            size=spec['size'],
            stride=spec['stride'],
            pad=0,
            padding=spec['padding'],
            activation=spec['activation'],
        )
        return Described(Section(kind, {k: str(v) for k, v in options.items()}), prefix)
    if kind == 'route':
        options = dict(layers=','.join(str(each - index) for each in spec['layers']))
    elif kind == 'shortcut':
        options = {'from': str(spec['layers'][1] - index), 'activation': 'linear'}
    else:
        options = {k: str(v) for k, v in spec.items() if k != 'kind'}
    return Described(Section(kind, options))


def _describe_yolov3(model: nn.Module) -> list[Described]:
    backbone, neck, head = model.backbone, model.neck, model.bbox_head
    if not isinstance(backbone, Darknet) or not isinstance(neck, YOLOV3Neck):
        raise DarknetError(
            f'the backbone is {type(backbone).__name__} and the neck {type(neck).__name__}; of '
            f'YOLOv3 Darknet with YOLOV3Neck can be exported'
        )
    found, taps = [], []

    def conv(module: nn.Module, prefix: str) -> None:
        found.append(Described(conv_section(module), prefix))

    conv(backbone.conv1, 'backbone.conv1')
    for index, name in enumerate(backbone.cr_blocks[1:], start=1):
        block = getattr(backbone, name)
        conv(block.conv, f'backbone.{name}.conv')
        for inner in range(len(block) - 1):
            unit = getattr(block, f'res{inner}')
            conv(unit.conv1, f'backbone.{name}.res{inner}.conv1')
            conv(unit.conv2, f'backbone.{name}.res{inner}.conv2')
            found.append(Described(Section('shortcut', {'from': '-3', 'activation': 'linear'})))
        if index in backbone.out_indices:
            taps.append(len(found) - 1)
    for level in range(head.num_levels):
        if level:
            found.append(Described(Section('route', dict(layers='-4'))))
            conv(getattr(neck, f'conv{level}'), f'neck.conv{level}')
            found.append(Described(Section('upsample', dict(stride='2'))))
            tap = taps[-1 - level]
            found.append(Described(Section('route', dict(layers=f'-1,{tap}'))))
        for inner in range(1, 6):
            name = f'detect{level + 1}'
            conv(getattr(getattr(neck, name), f'conv{inner}'), f'neck.{name}.conv{inner}')
        conv(head.convs_bridge[level], f'bbox_head.convs_bridge.{level}')
        found.append(
            Described(conv_section(head.convs_pred[level]), f'bbox_head.convs_pred.{level}')
        )
        found.append(Described(_yolo(head, level)))
    return found


def conv_section(module: nn.Module) -> Section:
    """``[convolutional]`` of a ConvModule, or of a plain Conv2d with a bias.

    Raises:
        DarknetError: darknet has no such convolution.
    """
    conv = module.conv if isinstance(module, ConvModule) else module
    normed = isinstance(module, ConvModule) and module.with_norm
    active = isinstance(module, ConvModule) and module.with_activation
    size, stride, padding = conv.kernel_size[0], conv.stride[0], conv.padding[0]
    plain = conv.groups == 1 and len({*conv.kernel_size}) == len({*conv.stride}) == 1
    plain = plain and conv.dilation == (1, 1) and (conv.bias is not None) != normed
    if active:
        slope = getattr(module.activate, 'negative_slope', None)
        plain = plain and isinstance(module.activate, nn.LeakyReLU) and slope == 0.1
    if not plain:
        raise DarknetError(f'darknet has no such convolution: {module}')
    options = dict(
        batch_normalize=int(normed),
        filters=conv.out_channels,
        size=size,
        stride=stride,
        pad=int(padding == size // 2),
        activation='leaky' if active else 'linear',
    )
    if padding != size // 2:
        options['padding'] = padding
    return Section('convolutional', {key: str(value) for key, value in options.items()})


def _region(head: YOLOV2Head) -> Section:
    (anchors,) = head.prior_generator.base_sizes
    options = {
        'anchors': ', '.join(f'{side / head.stride:.9g}' for size in anchors for side in size),
        'bias_match': 1,
        'classes': head.num_classes,
        'coords': 4,
        'num': head.num_base_priors,
        'softmax': int(not head.use_sigmoid_cls),
        'jitter': '.3',
        'rescore': int(head.rescore),
        'object_scale': f'{head.object_scale:g}',
        'noobject_scale': f'{head.noobject_scale:g}',
        'class_scale': f'{head.class_scale:g}',
        'coord_scale': f'{head.coord_scale:g}',
        'absolute': 1,
        'thresh': f'{head.neg_iou_thr:g}',
        'random': 1,
    }
    return Section('region', {key: str(value) for key, value in options.items()})


def _yolo(head: YOLOV3Head, level: int) -> Section:
    sizes = head.prior_generator.base_sizes
    # Darknet lists all anchors from small to large, mmdet its levels from coarse to fine.
    flat = [side for level_sizes in reversed(sizes) for size in level_sizes for side in size]
    first = head.num_base_priors * (head.num_levels - 1 - level)
    options = {
        'mask': ','.join(str(first + index) for index in range(head.num_base_priors)),
        'anchors': ', '.join(f'{side:.9g}' for side in flat),
        'classes': head.num_classes,
        'num': len(flat) // 2,
        'jitter': '.3',
        'ignore_thresh': '.7',
        'truth_thresh': 1,
        'random': 1,
    }
    return Section('yolo', {key: str(value) for key, value in options.items()})


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
