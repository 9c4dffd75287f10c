# YOLOv3 on cells: over all levels together or each level for itself, and how few.
_base_ = './_base_/yolov3-mobilenetv2_bccd_192x160.py'
variants = [dict(hard_ratio=0.25), dict(hard_ratio=0.25, scope='level'), dict(hard_ratio=0.05)]
seeds = 3
diagnose = 13
