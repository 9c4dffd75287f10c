_base_ = []

from mmengine.hub import get_config

# mmdet's YOLOv3 with Darknet-53. The head is mmdet's as long as it has no `lrm`, except that it
# knows ignored instances, which mmdet's trains as background.
model = get_config('mmdet::yolo/yolov3_d53_8xb8-ms-416-273e_coco.py').model
model.bbox_head.update(type='LRMYOLOV3Head', ignore_iof_thr=0.5)
