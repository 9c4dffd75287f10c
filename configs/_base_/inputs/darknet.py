# Images stretched to 416 x 416, and darknet's way to vary them: position and size jittered by up to
# 30 % on a grey canvas, colours, flips.
img_scale = (416, 416)

load_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
]
pack = dict(
    type='PackDetInputs',
    meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip'),
)
train_pipeline = [
    *load_pipeline,
    dict(type='Resize', scale=img_scale, keep_ratio=False),
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
    pack,
]
# The truths of an evaluation stay in the pixels of the file.
test_pipeline = [
    load_pipeline[0],
    dict(type='Resize', scale=img_scale, keep_ratio=False),
    load_pipeline[1],
    pack,
]
