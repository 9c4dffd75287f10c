# Does mining gain with darknet's loss where the objectness begins near 0, as it does by default?
_base_ = ['./_base_/yolov2-tiny_bccd_192x144.py', './_base_/parts.py']
variants = [dict(hard_ratio=0.05)]
options = _base_._squared
seeds = 3
diagnose = 13
