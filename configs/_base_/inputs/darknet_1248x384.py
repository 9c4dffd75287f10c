_base_ = './darknet.py'

# KITTI's images are about 1242 x 375. Both sides are stretched to a multiple of the stride, 32.
img_scale = (1248, 384)
resize = dict(type='Resize', scale=img_scale, keep_ratio=False)
train_pipeline = [*_base_.load_pipeline, resize, *_base_.augment_pipeline, _base_.pack]
test_pipeline = [_base_.load_pipeline[0], resize, _base_.load_pipeline[1], _base_.pack]
