"""Loss Rank Mining (arXiv 1804.04606) for MMDetection; importing it registers everything."""

from . import moved
from .darknet.coder import ScaledYOLOBBoxCoder
from .darknet.neck import PassthroughNeck
from .darknet.networks import Darknet19, DarknetNet, TinyYOLOV2
from .darknet.schedule import BurnInLR
from .darknet.transforms import DarknetHSV, DarknetJitter, DarknetLetterbox
from .heads import LRMSSDHead, LRMYOLOV3Head, YOLOV2Head
from .kitti import KittiDataset, KittiMetric
from .mining.diagnosis import MiningDiagnosisHook
from .mining.element_loss import LRMElementLoss
from .mining.lrm_loss import HardNegativeLoss, LRMLoss
from .mining.schedule import LRMScheduleHook
from .version import __version__
from .voc_metric import VOCClassMetric

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
    'ScaledYOLOBBoxCoder',
    'TinyYOLOV2',
    'VOCClassMetric',
    'YOLOV2Head',
    '__version__',
]

moved.keep_old_paths()
