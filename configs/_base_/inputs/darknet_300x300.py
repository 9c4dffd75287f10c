_base_ = './darknet.py'

img_scale = (300, 300)
resize = dict(type='Resize', scale=img_scale, keep_ratio=False)
train_pipeline = [*_base_.load_pipeline, resize, *_base_.augment_pipeline, _base_.pack]
test_pipeline = [_base_.load_pipeline[0], resize, _base_.load_pipeline[1], _base_.pack]
