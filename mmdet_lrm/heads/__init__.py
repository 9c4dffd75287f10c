from .yolov2_head import YOLOV2Head

__all__ = ['YOLOV2Head']
