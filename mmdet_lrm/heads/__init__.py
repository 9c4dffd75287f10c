from .lrm_ssd_head import LRMSSDHead
from .lrm_yolov3_head import LRMYOLOV3Head
from .yolov2_head import YOLOV2Head

__all__ = ['LRMSSDHead', 'LRMYOLOV3Head', 'YOLOV2Head']
