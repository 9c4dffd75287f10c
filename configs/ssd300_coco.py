_base_ = [
    './_base_/detectors/ssd300.py',
    './_base_/datasets/coco.py',
    './_base_/inputs/ssd.py',
    './_base_/schedules/ssd300.py',
    './_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
