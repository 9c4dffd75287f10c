# The tiny network with darknet's own loss, from VOC's weights on KITTI's subset.
_base_ = './_base_/yolov2-tiny-transfer_kitti_416x128.py'
variants = [dict(hard_ratio=0.25), dict(hard_ratio=0.05), dict(hard_ratio=0.02)]
options = _base_._squared | _base_._unbiased
seeds = 3
diagnose = 10
