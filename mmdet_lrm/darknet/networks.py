"""Darknet's networks as backbones: Darknet-19, the tiny YOLOv2, and any other of its layers.

Source: Redmon & Farhadi, "YOLO9000", CVPR 2017, table 6; darknet's yolov2-voc.cfg and
yolov2-tiny-voc.cfg.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmdet.registry import MODELS
from mmdet.utils import OptConfigType, OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn

BN = dict(type='BN', eps=1e-5, momentum=0.01)
LEAKY = dict(type='LeakyReLU', negative_slope=0.1)


def darknet_conv(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    norm_cfg: OptConfigType = BN,
    act_cfg: OptConfigType = LEAKY,
) -> ConvModule:
    """Darknet's ``[convolutional]`` with ``pad=1``: the size stays; a bias only without norm."""
    return ConvModule(
        in_channels,
        out_channels,
        kernel_size,
        padding=kernel_size // 2,
        norm_cfg=norm_cfg,
        act_cfg=act_cfg,
    )


def darknet_maxpool(stride: int) -> nn.Module:
    """Darknet's ``[maxpool]`` of size 2, which pads on the right and at the bottom.

    With stride 2 an odd border row or column makes a window of its own. With stride 1 the size
    stays; to repeat the border changes no maximum, so it equals darknet's padding with -infinity.
    """
    if stride == 2:
        return nn.MaxPool2d(2, 2, ceil_mode=True)
    if stride == 1:
        return nn.Sequential(nn.ReplicationPad2d((0, 1, 0, 1)), nn.MaxPool2d(2, 1))
    raise ValueError(
        f'The stride of a max-pooling is {stride}; it must be 2 (halve the map) or 1 (keep its '
        f'size). For no pooling after a convolution give 0'
    )


class DarknetStack(BaseModule):
    """Stages of darknet convolutions, each with a max-pooling behind it or none.

    Args:
        stages: By stage, the ``(out_channels, kernel_size)`` of its convolutions.
        pools: By stage, the stride of the max-pooling behind it: 2, 1, or 0 for none.
        out_indices: Stages whose maps are returned, taken before their pooling if it halves the
            map: what follows the last convolution is what passthrough layers branch from.
        norm_cfg: None gives convolutions with a bias and no normalisation.
        act_cfg: None is darknet's linear activation.
        init_cfg: Default: darknet's N(0, sqrt(2 / (k^2 c))).
    """

    def __init__(
        self,
        stages: Sequence[Sequence[tuple[int, int]]],
        pools: Sequence[int],
        out_indices: Sequence[int],
        norm_cfg: OptConfigType = BN,
        act_cfg: OptConfigType = LEAKY,
        init_cfg: OptMultiConfig = dict(type='Kaiming', layer='Conv2d', mode='fan_in'),
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if len(stages) != len(pools):
            raise ValueError(
                f'There are {len(stages)} stages and {len(pools)} pools; give one pool a stage, '
                f'0 for none'
            )
        outside = [index for index in out_indices if not 0 <= index < len(stages)]
        if outside:
            raise ValueError(
                f'out_indices has {outside}; the stages are numbered 0 to {len(stages) - 1}'
            )
        self.out_indices = tuple(out_indices)
        self.stages = nn.ModuleList()
        self.pools = nn.ModuleList()
        in_channels = 3
        for convs, pool in zip(stages, pools, strict=True):
            stage = nn.Sequential()
            for out_channels, kernel_size in convs:
                stage.append(
                    darknet_conv(in_channels, out_channels, kernel_size, norm_cfg, act_cfg)
                )
                in_channels = out_channels
            self.stages.append(stage)
            self.pools.append(darknet_maxpool(pool) if pool else nn.Identity())
        self.out_channels = in_channels

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) images to the maps of ``out_indices``."""
        outs = []
        last = len(self.stages) - 1
        for index, (stage, pool) in enumerate(zip(self.stages, self.pools, strict=True)):
            x = stage(x)
            if index in self.out_indices and index != last:
                outs.append(x)
            x = pool(x)
        if last in self.out_indices:
            outs.append(x)
        return tuple(outs)


@MODELS.register_module()
class Darknet19(DarknetStack):
    """The 18 convolutions of Darknet-19 below its classifier, stride 32.

    Args:
        out_indices: Default: the map that the passthrough layer branches from (512 channels, stride
            16) and the last one (1024 channels, stride 32).
        kwargs: ``norm_cfg``, ``act_cfg``, ``init_cfg`` of :class:`DarknetStack`.
    """

    STAGES = (
        ((32, 3),),
        ((64, 3),),
        ((128, 3), (64, 1), (128, 3)),
        ((256, 3), (128, 1), (256, 3)),
        ((512, 3), (256, 1), (512, 3), (256, 1), (512, 3)),
        ((1024, 3), (512, 1), (1024, 3), (512, 1), (1024, 3)),
    )
    POOLS = (2, 2, 2, 2, 2, 0)

    def __init__(self, out_indices: Sequence[int] = (4, 5), **kwargs) -> None:
        super().__init__(self.STAGES, self.POOLS, out_indices, **kwargs)


@MODELS.register_module()
class TinyYOLOV2(DarknetStack):
    """Tiny YOLOv2: one convolution a stage; the defaults are yolov2-tiny-voc.cfg's.

    Args:
        channels: Output channels of each convolution.
        pools: Stride of the max-pooling behind each: 2, 1 (keeps the size), or 0 for none.
        kernel_sizes: Of each convolution, 3 or 1. Default: all 3.
        out_indices: Default: the last map only.
        kwargs: ``norm_cfg``, ``act_cfg``, ``init_cfg`` of :class:`DarknetStack`.
    """

    def __init__(
        self,
        channels: Sequence[int] = (16, 32, 64, 128, 256, 512, 1024, 1024),
        pools: Sequence[int] = (2, 2, 2, 2, 2, 1, 0, 0),
        kernel_sizes: Sequence[int] | None = None,
        out_indices: Sequence[int] | None = None,
        **kwargs,
    ) -> None:
        kernel_sizes = kernel_sizes or (3,) * len(channels)
        if len(kernel_sizes) != len(channels):
            raise ValueError(
                f'There are {len(channels)} channels and {len(kernel_sizes)} kernel_sizes; give '
                f'one kernel size a convolution'
            )
        super().__init__(
            [[conv] for conv in zip(channels, kernel_sizes, strict=True)],
            pools,
            out_indices or (len(channels) - 1,),
            **kwargs,
        )


@MODELS.register_module()
class DarknetNet(BaseModule):
    """The layers of a ``.cfg`` in their order, for networks that no other backbone here has.

    Args:
        layers: By layer, a dict with its ``kind`` and

            - ``convolutional``: ``in_channels, filters, size, stride, padding, batch_normalize``,
              ``activation``, leaky or linear, and, if not 1, ``groups`` and ``dilation``;
            - ``maxpool``: ``size, stride, padding`` (in all, the right and lower half larger);
            - ``route``: ``layers``, indices of those whose maps are joined, in this order;
            - ``shortcut``: ``layers``, indices of the two whose maps are added;
            - ``reorg``, ``upsample``: ``stride``.

            A ``stride`` of a convolution or pooling is one number, or two: down and across.
        norm_cfg: Of the convolutions with ``batch_normalize``.
        init_cfg: Default: darknet's N(0, sqrt(2 / (k^2 c))).
    """

    def __init__(
        self,
        layers: Sequence[dict],
        norm_cfg: dict = BN,
        init_cfg: OptMultiConfig = dict(type='Kaiming', layer='Conv2d', mode='fan_in'),
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.specs = [dict(each) for each in layers]
        self.layers = nn.ModuleList()
        for spec in self.specs:
            if spec['kind'] != 'convolutional':
                self.layers.append(nn.Identity())
                continue
            dilation = spec.get('dilation', 1)
            self.layers.append(
                ConvModule(
                    spec['in_channels'],
                    spec['filters'],
                    spec['size'],
                    stride=spec['stride'],
                    padding=spec['padding'] * dilation,
                    dilation=dilation,
                    groups=spec.get('groups', 1),
                    norm_cfg=norm_cfg if spec['batch_normalize'] else None,
                    act_cfg=LEAKY if spec['activation'] == 'leaky' else None,
                )
            )

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """(N, C, H, W) images to the last map."""
        maps = []
        for spec, layer in zip(self.specs, self.layers, strict=True):
            kind = spec['kind']
            if kind == 'convolutional':
                x = layer(x)
            elif kind == 'maxpool':
                x = max_pool(x, spec['size'], spec['stride'], spec['padding'])
            elif kind == 'route':
                x = torch.cat([maps[index] for index in spec['layers']], dim=1)
            elif kind == 'shortcut':
                first, second = spec['layers']
                x = maps[first] + maps[second]
            elif kind == 'reorg':
                x = reorg(x, spec['stride'])
            else:
                x = F.interpolate(x, scale_factor=spec['stride'], mode='nearest')
            maps.append(x)
        return (x,)


def max_pool(x: Tensor, size: int, stride: int | tuple[int, int], padding: int) -> Tensor:
    """Darknet's max-pooling; of the ``padding`` of an axis the smaller half comes first."""
    before = padding // 2
    x = F.pad(x, (before, padding - before) * 2, value=-torch.inf)
    return F.max_pool2d(x, size, stride)


def reorg(x: Tensor, stride: int = 2) -> Tensor:
    """Darknet's ``[reorg]`` layer: (N, C, H, W) -> (N, C * stride^2, H / stride, W / stride).

    Darknet reads the map as if it had C / stride^2 channels at stride times the size, and it is
    that map whose pixels it deals out to channels. ``pixel_unshuffle`` deals out the map itself and
    gives another order, with which released weights do not work.

    Raises:
        ValueError: H or W is not a multiple of ``stride``, or C not one of ``stride`` squared.
    """
    num_imgs, channels, height, width = x.shape
    if height % stride or width % stride or channels % stride**2:
        raise ValueError(
            f'reorg with stride {stride} was given a map of {channels} channels, {height} x '
            f'{width}; channels must be a multiple of {stride**2}, height and width of {stride}. '
            f'Choose an input size that is a multiple of the stride of the last map'
        )
    x = x.reshape(num_imgs, channels // stride**2, height, stride, width, stride)
    x = x.permute(0, 3, 5, 1, 2, 4)
    return x.reshape(num_imgs, channels * stride**2, height // stride, width // stride)
