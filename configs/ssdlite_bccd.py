_base_ = [
    './_base_/detectors/ssdlite.py',
    './_base_/datasets/bccd.py',
    './_base_/inputs/darknet_320x320.py',
    './_base_/schedules/scratch.py',
    './_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(
        num_classes=len(_base_.classes),
        # White cells, red cells and platelets are near 110, 60 and 23 px at this size; the sizes
        # for COCO begin at 48.
        anchor_generator=dict(
            min_sizes=[24, 56, 96, 144, 192, 256],
            max_sizes=[56, 96, 144, 192, 256, 304],
        ),
    ),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
