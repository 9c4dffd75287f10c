# Does the gain of mining a quarter of each level outlast a training three times as long?
_base_ = './_base_/yolov3-mobilenetv2_bccd_192x160.py'
variants = [dict(hard_ratio=0.25, scope='level')]
seeds = 3
epochs = 24
last = 3
