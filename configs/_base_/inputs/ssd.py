# Images stretched to 300 x 300, and SSD's way to vary them: placed on a larger canvas, crops that
# keep objects, colours, flips.
img_scale = (300, 300)

load_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
]
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
pack = dict(
    type='PackDetInputs',
    meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip'),
)
train_pipeline = [
    *load_pipeline,
    dict(type='Expand', mean=[123.675, 116.28, 103.53], to_rgb=True, ratio_range=(1, 4)),
    dict(type='MinIoURandomCrop', min_ious=(0.1, 0.3, 0.5, 0.7, 0.9), min_crop_size=0.3),
    dict(type='Resize', scale=img_scale, keep_ratio=False),
    *colour_pipeline,
    pack,
]
# The truths of an evaluation stay in the pixels of the file.
test_pipeline = [
    load_pipeline[0],
    dict(type='Resize', scale=img_scale, keep_ratio=False),
    load_pipeline[1],
    pack,
]
