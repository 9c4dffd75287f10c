"""Loss Rank Mining (arXiv 1804.04606) for MMDetection; importing it registers everything."""

from .backbones import Darknet19, TinyYOLOV2
from .benchmark.class_ap import VOCClassMetric
from .darknet.network import DarknetNet
from .diagnosis import MiningDiagnosisHook
from .heads import LRMSSDHead, LRMYOLOV3Head, YOLOV2Head
from .hooks import LRMScheduleHook
from .kitti import KittiDataset, KittiMetric
from .lrm_element_loss import LRMElementLoss
from .lrm_loss import HardNegativeLoss, LRMLoss
from .necks import PassthroughNeck
from .schedulers import BurnInLR
from .transforms import DarknetHSV, DarknetJitter, DarknetLetterbox
from .version import __version__

__all__ = [
    'BurnInLR',
    'Darknet19',
    'DarknetHSV',
    'DarknetJitter',
    'DarknetLetterbox',
    'DarknetNet',
    'HardNegativeLoss',
    'KittiDataset',
    'KittiMetric',
    'LRMElementLoss',
    'LRMLoss',
    'LRMSSDHead',
    'LRMScheduleHook',
    'LRMYOLOV3Head',
    'MiningDiagnosisHook',
    'PassthroughNeck',
    'TinyYOLOV2',
    'VOCClassMetric',
    'YOLOV2Head',
    '__version__',
]
