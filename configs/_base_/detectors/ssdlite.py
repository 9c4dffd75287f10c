_base_ = []

from mmengine.hub import get_config

# mmdet's SSDLite with MobileNetV2. As long as it has no `lrm` the head selects its negatives as
# mmdet's does, 3:1, but knows ignored instances, which mmdet's trains as background.
model = get_config('mmdet::ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco.py').model
model.bbox_head.update(type='LRMSSDHead', ignore_iof_thr=0.5)
