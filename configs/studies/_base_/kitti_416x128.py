# The tiny networks on 895 frames of KITTI's training set, 564 of the usual train split and 331 of
# the usual val split: a training of five minutes on one CPU core.
data = dict(KITTI_ROOT='data/kitti_subset')
input_size = (416, 128)
epochs = 6
last = 2
