# Images stretched to 416 x 416, and darknet's way to vary them: position and size jittered by up to
# 30 % on a grey canvas, colours, flips.
img_scale = (416, 416)

load_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
]
augment_pipeline = [
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
]
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip')
pack = dict(type='PackDetInputs', meta_keys=meta_keys)
resize = dict(type='Resize', scale=img_scale, keep_ratio=False)
train_pipeline = [*load_pipeline, resize, *augment_pipeline, pack]
# The truths of an evaluation stay in the pixels of the file.
test_pipeline = [load_pipeline[0], resize, load_pipeline[1], pack]
