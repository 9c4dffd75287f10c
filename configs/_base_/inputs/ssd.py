_base_ = './stretched.py'

from mmdet_lrm.configs import resized

# SSD's way to vary images: placed on a larger canvas, crops that keep objects, colours, flips.
img_scale = (300, 300)

colour_pipeline = [
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='PhotoMetricDistortion',
        brightness_delta=32,
        contrast_range=(0.5, 1.5),
        saturation_range=(0.5, 1.5),
        hue_delta=18,
    ),
]
train_pipeline = [
    *_base_.load_pipeline,
    dict(type='Expand', mean=[123.675, 116.28, 103.53], to_rgb=True, ratio_range=(1, 4)),
    dict(type='MinIoURandomCrop', min_ious=(0.1, 0.3, 0.5, 0.7, 0.9), min_crop_size=0.3),
    dict(type='Resize', scale=img_scale, keep_ratio=False),
    *colour_pipeline,
    _base_.pack,
]
test_pipeline = resized(_base_.test_pipeline, img_scale)
