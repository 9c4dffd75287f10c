"""Loss Rank Mining (arXiv 1804.04606) for MMDetection; importing it registers everything."""

from .backbones import Darknet19, TinyYOLOV2
from .heads import YOLOV2Head
from .hooks import LRMScheduleHook
from .lrm_loss import LRMLoss
from .necks import PassthroughNeck

__version__ = '0.1.0'
__all__ = [
    'Darknet19',
    'LRMLoss',
    'LRMScheduleHook',
    'PassthroughNeck',
    'TinyYOLOV2',
    'YOLOV2Head',
]
