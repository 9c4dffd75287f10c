_base_ = [
    './_base_/detectors/yolov3-mobilenetv2.py',
    './_base_/datasets/loaders.py',
    './_base_/inputs/darknet.py',
    './_base_/schedules/scratch.py',
    './_base_/default_runtime.py',
]

from mmdet_lrm.configs import lengthened

# Your own data in VOC's layout: JPEGImages, Annotations, and lists of names without ending.
data_root = '{{$DATA_ROOT:data/mine}}'
classes = ('RBC', 'WBC', 'Platelets')
train_list = 'ImageSets/Main/train.txt'
val_list = 'ImageSets/Main/val.txt'
batch_size = 8
max_epochs = 30
# 'open-mmlab://mmdet/mobilenet_v2' downloads and starts from ImageNet's weights, None from scratch.
pretrained = None

model = dict(
    backbone=dict(init_cfg=pretrained and dict(type='Pretrained', checkpoint=pretrained)),
    bbox_head=dict(num_classes=len(classes)),
)
dataset = dict(
    type='XMLDataset',
    data_root=data_root,
    metainfo=dict(classes=classes),
    data_prefix=dict(sub_data_root=''),
)
train_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(
        **dataset,
        ann_file=train_list,
        # A box without area is ignored.
        filter_cfg=dict(bbox_min_size=1),
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(
        **dataset,
        ann_file=val_list,
        test_mode=True,
        pipeline=_base_.test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='VOCMetric', metric='mAP', eval_mode='area', prefix='voc')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = lengthened(_base_.param_scheduler, _base_.max_epochs, max_epochs)
