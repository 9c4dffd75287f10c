# Does the gain of mining with darknet's loss hold over six seeds?
_base_ = ['./_base_/yolov2-tiny_bccd_192x144.py', './_base_/parts.py']
variants = [dict(hard_ratio=0.05)]
options = _base_._squared | _base_._unbiased
seeds = 6
diagnose = 13
