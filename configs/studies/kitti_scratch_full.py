# The tiny network from scratch on KITTI's subset, at the size of its config.
baseline = 'yolov2-tiny_kitti.py'
variants = ['yolov2-tiny_lrm_kitti.py']
data = dict(KITTI_ROOT='data/kitti_subset')
seeds = 3
last = 3
