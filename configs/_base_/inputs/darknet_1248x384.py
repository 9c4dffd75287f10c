_base_ = './darknet.py'

from mmdet_lrm.configs import resized

# KITTI's images are about 1242 x 375. Both sides are stretched to a multiple of the stride, 32.
img_scale = (1248, 384)
train_pipeline = resized(_base_.train_pipeline, img_scale)
test_pipeline = resized(_base_.test_pipeline, img_scale)
