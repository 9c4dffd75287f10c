# From a tiny YOLOv2 that was trained on VOC; 1,248 priors.
_base_ = ['./kitti_416x128.py', './parts.py']
baseline = 'yolov2-tiny-transfer_kitti.py'
reduced = _base_._tiny_416x128
