# Who carries the gradient in the first epochs of four detectors? Nothing is mined or evaluated: the
# metrics are shares of the gradient in the first fifth of the measurements and in the last. The
# schedule is that of the whole training, of which these are the first epochs.
_base_ = './_base_/parts.py'
_tiny = {
    'config': 'yolov2-tiny-transfer_kitti.py',
    'input_size': (416, 128),
    'train_cfg.max_epochs': 1,
    **_base_._tiny_416x128,
}
baseline = [
    {'config': 'ssdlite_bccd.py', 'train_cfg.max_epochs': 2},
    {'config': 'yolov3-mobilenetv2_bccd.py', 'train_cfg.max_epochs': 2},
    dict(name='yolov2-tiny-transfer_kitti, squared error', **_tiny, **_base_._squared),
    dict(name='yolov2-tiny-transfer_kitti, cross-entropy', **_tiny),
]
data = dict(KITTI_ROOT='data/kitti_subset')
seeds = 1
diagnose = 2
evaluate = False
