"""Any network of darknet's layers below its detection layer, as a backbone."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmdet.registry import MODELS
from mmdet.utils import OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn

from .neck import reorg
from .networks import BN, LEAKY


@MODELS.register_module()
class DarknetNet(BaseModule):
    """The layers of a ``.cfg`` in their order, for networks that no other backbone here has.

    Args:
        layers: By layer, a dict with its ``kind`` and

            - ``convolutional``: ``in_channels, filters, size, stride, padding, batch_normalize``
              and ``activation``, leaky or linear;
            - ``maxpool``: ``size, stride, padding`` (in all, the right and lower half larger);
            - ``route``: ``layers``, indices of those whose maps are joined, in this order;
            - ``shortcut``: ``layers``, indices of the two whose maps are added;
            - ``reorg``, ``upsample``: ``stride``.
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
            self.layers.append(
                ConvModule(
                    spec['in_channels'],
                    spec['filters'],
                    spec['size'],
                    stride=spec['stride'],
                    padding=spec['padding'],
                    norm_cfg=norm_cfg if spec['batch_normalize'] else None,
                    act_cfg=LEAKY if spec['activation'] == 'leaky' else None,
                )
            )

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """(N, 3, H, W) images to the last map."""
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


def max_pool(x: Tensor, size: int, stride: int, padding: int) -> Tensor:
    """Darknet's max-pooling; of the ``padding`` of an axis the smaller half comes first."""
    before = padding // 2
    x = F.pad(x, (before, padding - before) * 2, value=-torch.inf)
    return F.max_pool2d(x, size, stride)
