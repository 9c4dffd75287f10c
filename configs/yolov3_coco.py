_base_ = [
    './_base_/detectors/yolov3.py',
    './_base_/datasets/coco.py',
    './_base_/inputs/yolov3.py',
    './_base_/schedules/yolov3.py',
    './_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
