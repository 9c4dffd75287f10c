# The tiny network from scratch on KITTI's subset, with small images.
_base_ = './_base_/yolov2-tiny-transfer_kitti_416x128.py'
baseline = 'yolov2-tiny_kitti.py'
variants = ['yolov2-tiny_lrm_kitti.py']
seeds = 3
epochs = 15
last = 3
diagnose = 10
