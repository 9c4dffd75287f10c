_base_ = [
    './_base_/detectors/ssdlite.py',
    './_base_/datasets/coco.py',
    './_base_/inputs/ssd_320x320.py',
    './_base_/schedules/ssdlite.py',
    './_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
