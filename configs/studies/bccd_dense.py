# Does the gain on dense red cells hold over six seeds?
_base_ = './_base_/yolov2-tiny_bccd_192x144.py'
variants = [dict(hard_ratio=0.05, nms_iou_thr=0.7)]
seeds = 6
metric = 'voc/RBC_AP'
