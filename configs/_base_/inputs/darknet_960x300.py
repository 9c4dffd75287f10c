_base_ = './darknet.py'

from mmdet_lrm.configs import resized

img_scale = (960, 300)
train_pipeline = resized(_base_.train_pipeline, img_scale)
test_pipeline = resized(_base_.test_pipeline, img_scale)
