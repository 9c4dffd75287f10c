"""YOLOv2's passthrough neck, with darknet's exact order of the reorganised channels."""

from mmdet.registry import MODELS
from mmdet.utils import OptConfigType, OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, cat, nn

from .networks import BN, LEAKY, darknet_conv, reorg


@MODELS.register_module()
class PassthroughNeck(BaseModule):
    """Join a finer map to the last one, as yolov2-voc.cfg does above Darknet-19.

    (1) Two 3x3 convolutions on the last map. (2) A 1x1 convolution and the reorganisation on the
    finer map. (3) Both side by side, the finer first. (4) One 3x3 convolution.

    Args:
        in_channels: Channels of the finer and of the last map.
        out_channels: Channels of every 3x3 convolution.
        passthrough_channels: Channels of the 1x1 convolution, a multiple of 4.
        norm_cfg: As for :class:`mmdet_lrm.Darknet19`.
        act_cfg: As there.
        init_cfg: As there.
    """

    def __init__(
        self,
        in_channels: tuple[int, int] = (512, 1024),
        out_channels: int = 1024,
        passthrough_channels: int = 64,
        norm_cfg: OptConfigType = BN,
        act_cfg: OptConfigType = LEAKY,
        init_cfg: OptMultiConfig = dict(type='Kaiming', layer='Conv2d', mode='fan_in'),
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        cfg = dict(norm_cfg=norm_cfg, act_cfg=act_cfg)
        fine_channels, last_channels = in_channels
        self.convs = nn.Sequential(
            darknet_conv(last_channels, out_channels, 3, **cfg),
            darknet_conv(out_channels, out_channels, 3, **cfg),
        )
        self.passthrough = darknet_conv(fine_channels, passthrough_channels, 1, **cfg)
        self.fuse = darknet_conv(4 * passthrough_channels + out_channels, out_channels, 3, **cfg)

    def forward(self, x: tuple[Tensor, Tensor]) -> tuple[Tensor]:
        """Maps (N, c0, 2H, 2W) and (N, c1, H, W) to one of (N, out_channels, H, W)."""
        fine, last = x
        last = self.convs(last)  # 1
        fine = reorg(self.passthrough(fine))  # 2
        return (self.fuse(cat([fine, last], dim=1)),)  # 3, 4
