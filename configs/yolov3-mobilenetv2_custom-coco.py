_base_ = [
    './_base_/detectors/yolov3-mobilenetv2.py',
    './_base_/datasets/loaders.py',
    './_base_/inputs/darknet.py',
    './_base_/schedules/scratch.py',
    './_base_/default_runtime.py',
]

import os

from mmdet_lrm.configs import lengthened

# Your own data in COCO's layout: folders of images, and a JSON file of annotations for each. Paths
# are below data_root, or absolute.
data_root = '{{$DATA_ROOT:data/mine}}'
classes = ('RBC', 'WBC', 'Platelets')
train_json = 'annotations/train.json'
train_images = 'train/'
val_json = 'annotations/val.json'
val_images = 'val/'
batch_size = 8
max_epochs = 30
# 'open-mmlab://mmdet/mobilenet_v2' downloads and starts from ImageNet's weights, None from scratch.
pretrained = None

model = dict(
    backbone=dict(init_cfg=pretrained and dict(type='Pretrained', checkpoint=pretrained)),
    bbox_head=dict(num_classes=len(classes)),
)
dataset = dict(type='CocoDataset', data_root=data_root, metainfo=dict(classes=classes))
train_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(
        **dataset,
        ann_file=train_json,
        data_prefix=dict(img=train_images),
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(
        **dataset,
        ann_file=val_json,
        data_prefix=dict(img=val_images),
        test_mode=True,
        pipeline=_base_.test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='CocoMetric', metric='bbox', ann_file=os.path.join(data_root, val_json))
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = lengthened(_base_.param_scheduler, _base_.max_epochs, max_epochs)
