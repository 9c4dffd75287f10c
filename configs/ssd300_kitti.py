_base_ = [
    './_base_/detectors/ssd300.py',
    './_base_/datasets/kitti.py',
    './_base_/inputs/darknet_960x300.py',
    './_base_/schedules/ssd300.py',
    './_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(
        num_classes=len(_base_.classes),
        # The last two maps of a 960 x 300 input have 13 x 3 and 11 x 1 cells.
        anchor_generator=dict(strides=[8, 16, 32, 64, (73.8, 100), (87.3, 300)]),
    ),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
