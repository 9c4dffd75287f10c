# The 2D object part of KITTI, as tools/prepare_kitti.py lays it out. Set the folder here or,
# without an edit, by the environment variable KITTI_ROOT.
data_root = '{{$KITTI_ROOT:data/kitti}}'
classes = ('Car', 'Pedestrian', 'Cyclist')
# KITTI's images are about 1242 x 375. Both sides are stretched to a multiple of the stride, 32.
img_scale = (1248, 384)

load_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
]
# Darknet jitters position and size by up to 30 % on a grey canvas, colours, and flips.
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
test_pipeline = [load_pipeline[0], resize, load_pipeline[1], pack]

dataset = dict(
    type='KittiDataset',
    data_root=data_root,
    metainfo=dict(classes=classes),
    data_prefix=dict(img='training/image_2', label='training/label_2'),
)
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(ann_file='ImageSets/train.txt', pipeline=train_pipeline, **dataset),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file='ImageSets/val.txt', pipeline=test_pipeline, test_mode=True, **dataset),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='KittiMetric', label_dir=data_root + '/training/label_2')
test_evaluator = val_evaluator
