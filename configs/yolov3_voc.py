_base_ = [
    './_base_/detectors/yolov3.py',
    './_base_/datasets/voc.py',
    './_base_/inputs/yolov3.py',
    './_base_/schedules/yolov3.py',
    './_base_/default_runtime.py',
]

from mmdet_lrm.configs import with_pipeline

model = dict(bbox_head=dict(num_classes=20))
train_dataloader = dict(
    dataset=dict(datasets=with_pipeline(_base_.train_pipeline, _base_.voc07, _base_.voc12))
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
