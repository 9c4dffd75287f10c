# Images stretched to 416 x 416; the steps that a training and an evaluation share.
img_scale = (416, 416)

load_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
]
pack = dict(
    type='PackDetInputs',
    meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip'),
)
# The truths of an evaluation stay in the pixels of the file.
test_pipeline = [
    load_pipeline[0],
    dict(type='Resize', scale=img_scale, keep_ratio=False),
    load_pipeline[1],
    pack,
]
