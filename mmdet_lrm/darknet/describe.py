"""Detectors of MMDetection as the sections of a ``.cfg``.

Beside each convolution stands the module of the detector that holds its numbers, so that one
description serves an import, which compares it with the ``.cfg``, and an export.
"""

from typing import NamedTuple

from mmcv.cnn import ConvModule
from mmdet.models.backbones import Darknet
from mmdet.models.dense_heads import YOLOV3Head
from mmdet.models.necks import YOLOV3Neck
from mmdet.models.task_modules.coders import YOLOBBoxCoder
from torch import nn

from ..heads import LRMYOLOV3Head, YOLOV2Head
from .cfg import DarknetError, Section
from .coder import ScaledYOLOBBoxCoder
from .neck import PassthroughNeck
from .networks import DarknetNet, DarknetStack


class Described(NamedTuple):
    """A section, and the prefix of its parameters in the detector's state dict if it has any."""

    section: Section
    prefix: str | None = None


def describe(model: nn.Module) -> list[Described]:
    """All sections behind ``[net]`` of a detector.

    Raises:
        DarknetError: darknet cannot express it.
    """
    head = getattr(model, 'bbox_head', None)
    if type(head) not in (YOLOV2Head, YOLOV3Head, LRMYOLOV3Head):
        raise DarknetError(
            f'the head is {type(head).__name__}; YOLOV2Head, YOLOV3Head and LRMYOLOV3Head can be '
            f'exported'
        )
    if type(head.bbox_coder) not in (YOLOBBoxCoder, ScaledYOLOBBoxCoder):
        raise DarknetError(
            f'bbox_head.bbox_coder is {type(head.bbox_coder).__name__}; YOLOBBoxCoder and '
            f'ScaledYOLOBBoxCoder can be exported'
        )
    if isinstance(head, YOLOV3Head):
        return _describe_yolov3(model)
    if getattr(head.bbox_coder, 'scale_x_y', 1.0) != 1:
        raise DarknetError('[region] has no scale_x_y; give YOLOV2Head a YOLOBBoxCoder')
    prediction = Described(conv_section(head.conv_pred), 'bbox_head.conv_pred')
    return [*describe_body(model), prediction, Described(_region(head))]


def describe_body(model: nn.Module) -> list[Described]:
    """The sections below YOLOv2's prediction."""
    neck = getattr(model, 'neck', None)
    found, taps = describe_backbone(model.backbone)
    if neck is None:
        return found
    if not isinstance(neck, PassthroughNeck) or len(taps) != 2:
        raise DarknetError(f'the neck is {type(neck).__name__}, which cannot be exported here')
    for inner, module in enumerate(neck.convs):
        found.append(Described(conv_section(module), f'neck.convs.{inner}'))
    last = len(found) - 1
    found.append(Described(Section('route', dict(layers=str(taps[0] - len(found))))))
    found.append(Described(conv_section(neck.passthrough), 'neck.passthrough'))
    found.append(Described(Section('reorg', dict(stride='2'))))
    found.append(Described(Section('route', dict(layers=f'-1,{last - len(found)}'))))
    found.append(Described(conv_section(neck.fuse), 'neck.fuse'))
    return found


def describe_backbone(backbone: nn.Module) -> tuple[list[Described], list[int]]:
    """Its sections, and the indices of those whose maps it returns.

    Raises:
        DarknetError: it is none of darknet's.
    """
    if isinstance(backbone, DarknetNet):
        return _describe_net(backbone)
    if isinstance(backbone, DarknetStack):
        return _describe_stack(backbone)
    if isinstance(backbone, Darknet):
        return _describe_darknet53(backbone)
    raise DarknetError(
        f'the backbone is {type(backbone).__name__}; Darknet19, TinyYOLOV2, DarknetNet and Darknet '
        f'can be exported'
    )


def _describe_net(backbone: DarknetNet) -> tuple[list[Described], list[int]]:
    found = [
        _describe_spec(spec, f'backbone.layers.{index}', index)
        for index, spec in enumerate(backbone.specs)
    ]
    return found, [len(found) - 1]


def _describe_stack(backbone: DarknetStack) -> tuple[list[Described], list[int]]:
    found, taps = [], []
    for index, (stage, pool) in enumerate(zip(backbone.stages, backbone.pools, strict=True)):
        for inner, module in enumerate(stage):
            found.append(Described(conv_section(module), f'backbone.stages.{index}.{inner}'))
        if index in backbone.out_indices:
            taps.append(len(found) - 1)
        if not isinstance(pool, nn.Identity):
            stride = 2 if isinstance(pool, nn.MaxPool2d) else 1
            found.append(Described(Section('maxpool', dict(size='2', stride=str(stride)))))
    return found, taps


def _describe_darknet53(backbone: Darknet) -> tuple[list[Described], list[int]]:
    found, taps = [Described(conv_section(backbone.conv1), 'backbone.conv1')], []
    for index, name in enumerate(backbone.cr_blocks[1:], start=1):
        block = getattr(backbone, name)
        found.append(Described(conv_section(block.conv), f'backbone.{name}.conv'))
        for inner in range(len(block) - 1):
            unit = getattr(block, f'res{inner}')
            for conv in ('conv1', 'conv2'):
                section = conv_section(getattr(unit, conv))
                found.append(Described(section, f'backbone.{name}.res{inner}.{conv}'))
            found.append(Described(Section('shortcut', {'from': '-3', 'activation': 'linear'})))
        if index in backbone.out_indices:
            taps.append(len(found) - 1)
    return found, taps


def _describe_spec(spec: dict, prefix: str, index: int) -> Described:
    """A layer of DarknetNet; it has its numbers, if it has any, under the prefix."""
    kind = spec['kind']
    if kind == 'route':
        options = dict(layers=','.join(str(each - index) for each in spec['layers']))
    elif kind == 'shortcut':
        options = {'from': spec['layers'][1] - index, 'activation': 'linear'}
    elif kind == 'convolutional':
        options = dict(
            batch_normalize=int(spec['batch_normalize']),
            filters=spec['filters'],
            size=spec['size'],
            **_stride_options(spec['stride']),
            pad=0,
            padding=spec['padding'],
            activation=spec['activation'],
        )
        # Keys that few readers know stand there only if they say something.
        options |= {k: spec[k] for k in ('dilation', 'groups') if spec.get(k, 1) != 1}
    elif kind == 'maxpool':
        options = dict(
            size=spec['size'], **_stride_options(spec['stride']), padding=spec['padding']
        )
    else:
        options = dict(stride=spec['stride'])
    section = Section(kind, {key: str(value) for key, value in options.items()})
    return Described(section, prefix if kind == 'convolutional' else None)


def _stride_options(stride: int | tuple[int, int]) -> dict[str, int]:
    if isinstance(stride, int):
        return dict(stride=stride)
    return dict(stride_x=stride[1], stride_y=stride[0])


def _describe_yolov3(model: nn.Module) -> list[Described]:
    neck, head = model.neck, model.bbox_head
    if not isinstance(model.backbone, Darknet) or not isinstance(neck, YOLOV3Neck):
        raise DarknetError(
            f'the backbone is {type(model.backbone).__name__} and the neck {type(neck).__name__}; '
            f'of YOLOv3 Darknet with YOLOV3Neck can be exported'
        )
    found, taps = describe_backbone(model.backbone)

    def conv(module: nn.Module, prefix: str) -> None:
        found.append(Described(conv_section(module), prefix))

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
        conv(head.convs_pred[level], f'bbox_head.convs_pred.{level}')
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
    plain = (
        conv.groups == 1
        and len({*conv.kernel_size}) == len({*conv.stride}) == len({*conv.padding}) == 1
        and conv.dilation == (1, 1)
        and conv.padding_mode == 'zeros'
        and (conv.bias is not None) != normed
    )
    if isinstance(module, ConvModule):
        plain &= module.order == ('conv', 'norm', 'act') and not module.with_spectral_norm
        plain &= not module.with_explicit_padding
    if normed:
        # SyncBN is a batch norm; GroupNorm and InstanceNorm are none.
        norm = module.norm
        plain &= isinstance(norm, (nn.BatchNorm2d, nn.SyncBatchNorm)) and norm.affine
        plain &= getattr(norm, 'track_running_stats', False)
    if active:
        plain &= isinstance(module.activate, nn.LeakyReLU)
        plain &= getattr(module.activate, 'negative_slope', None) == 0.1
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
    scale = getattr(head.bbox_coder, 'scale_x_y', 1.0)
    if scale != 1:
        options['scale_x_y'] = f'{scale:.9g}'
    return Section('yolo', {key: str(value) for key, value in options.items()})
