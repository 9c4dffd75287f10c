_base_ = './ssd.py'

img_scale = (416, 416)
crop_pipeline = [
    dict(type='Expand', mean=[0, 0, 0], to_rgb=True, ratio_range=(1, 2)),
    dict(type='MinIoURandomCrop', min_ious=(0.4, 0.5, 0.6, 0.7, 0.8, 0.9), min_crop_size=0.3),
]
resize = dict(type='Resize', scale=img_scale, keep_ratio=False)
train_pipeline = [
    *_base_.load_pipeline,
    *crop_pipeline,
    resize,
    *_base_.colour_pipeline,
    _base_.pack,
]
test_pipeline = [_base_.load_pipeline[0], resize, _base_.load_pipeline[1], _base_.pack]
