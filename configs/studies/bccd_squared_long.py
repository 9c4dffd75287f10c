# Does the gain of mining with darknet's loss outlast a training three times as long?
_base_ = ['./_base_/yolov2-tiny_bccd_192x144.py', './_base_/parts.py']
variants = [dict(hard_ratio=0.05)]
options = _base_._squared | _base_._unbiased
seeds = 3
epochs = 24
last = 3
