"""Loss Rank Mining (arXiv 1804.04606) for MMDetection; importing it registers everything."""

import importlib
import os
import sys
from types import ModuleType

from . import moved
from .configs import config
from .version import __version__

__all__ = ['__version__', 'config']

# torch and mmdet take 6 s to import. A program that needs neither, since it reads KITTI's files
# alone, writes its process id here before it imports a module of this package; then nothing is
# registered. By the id a process that inherits the variable is not left unregistered. Nor does
# `python -m mmdet_lrm` need any, which becomes another program; argv is '-m' until it is found.
STARTS_A_PROGRAM = sys.argv[:1] == ['-m'] and __name__ in sys.orig_argv
if os.environ.get('MMDET_LRM_UNREGISTERED') != str(os.getpid()) and not STARTS_A_PROGRAM:
    from .darknet.coder import ScaledYOLOBBoxCoder
    from .darknet.neck import PassthroughNeck
    from .darknet.networks import Darknet19, DarknetNet, TinyYOLOV2
    from .darknet.schedule import BurnInLR
    from .darknet.transforms import DarknetHSV, DarknetJitter, DarknetLetterbox
    from .heads import LRMSSDHead, LRMYOLOV3Head, YOLOV2Head
    from .kitti.dataset import KittiDataset
    from .kitti.metric import KittiMetric
    from .mining import Level, hard_mask
    from .mining.diagnosis import MiningDiagnosisHook
    from .mining.element_loss import LRMElementLoss
    from .mining.lrm_loss import HardNegativeLoss, LRMLoss, PriorLosses, build_miner
    from .mining.schedule import LRMScheduleHook
    from .mining.visualization import MiningVisualizationHook
    from .training.channels_last import ChannelsLastHook
    from .training.checkpoints import SafeCheckpointHook
    from .training.fewer_labels import LoadFewerAnnotations
    from .training.seeding import RepeatableRandomHook
    from .voc_metric import VOCClassMetric

    __all__ += [
        'BurnInLR',
        'ChannelsLastHook',
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
        'Level',
        'LoadFewerAnnotations',
        'MiningDiagnosisHook',
        'MiningVisualizationHook',
        'PassthroughNeck',
        'PriorLosses',
        'RepeatableRandomHook',
        'SafeCheckpointHook',
        'ScaledYOLOBBoxCoder',
        'TinyYOLOV2',
        'VOCClassMetric',
        'YOLOV2Head',
        'build_miner',
        'hard_mask',
    ]

moved.keep_old_paths()


def __getattr__(name: str) -> ModuleType:
    """A room, such as ``deploy``, which is imported when it is asked for."""
    if name not in ('darknet', 'deploy', 'heads', 'kitti', 'launch', 'mining', 'study', 'training'):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return importlib.import_module(f'.{name}', __name__)
