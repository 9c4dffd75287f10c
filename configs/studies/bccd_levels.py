# Does the gain of mining a quarter of each level hold over six seeds?
_base_ = './_base_/yolov3-mobilenetv2_bccd_192x160.py'
variants = [dict(hard_ratio=0.25, scope='level')]
seeds = 6
diagnose = 13
