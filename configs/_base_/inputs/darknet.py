_base_ = './stretched.py'

# Darknet's way to vary images: position and size jittered by up to 30 % on a grey canvas, colours,
# flips.
train_pipeline = [
    *_base_.load_pipeline,
    dict(type='Resize', scale=_base_.img_scale, keep_ratio=False),
    dict(
        type='RandomAffine',
        max_rotate_degree=0.0,
        max_shear_degree=0.0,
        max_translate_ratio=0.15,
        scaling_ratio_range=(0.75, 1.3),
        border_val=(127, 127, 127),
    ),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    _base_.pack,
]
