"""Loss Rank Mining (arXiv 1804.04606) for MMDetection; importing it registers everything."""

from .backbones import Darknet19, TinyYOLOV2
from .heads import YOLOV2Head
from .hooks import LRMScheduleHook
from .kitti import KittiDataset, KittiMetric
from .lrm_loss import LRMLoss
from .necks import PassthroughNeck
from .version import __version__

__all__ = [
    'Darknet19',
    'KittiDataset',
    'KittiMetric',
    'LRMLoss',
    'LRMScheduleHook',
    'PassthroughNeck',
    'TinyYOLOV2',
    'YOLOV2Head',
    '__version__',
]
