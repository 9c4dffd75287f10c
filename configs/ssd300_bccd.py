_base_ = [
    './_base_/detectors/ssd300.py',
    './_base_/datasets/bccd.py',
    './_base_/inputs/darknet_300x300.py',
    './_base_/schedules/scratch.py',
    './_base_/default_runtime.py',
]
# 'open-mmlab://vgg16_caffe' downloads and starts from ImageNet's weights.
pretrained = None

model = dict(
    backbone=dict(init_cfg=pretrained and dict(type='Pretrained', checkpoint=pretrained)),
    bbox_head=dict(num_classes=len(_base_.classes)),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
