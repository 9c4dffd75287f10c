_base_ = [
    './_base_/detectors/ssdlite.py',
    './_base_/datasets/kitti.py',
    './_base_/inputs/darknet_960x320.py',
    './_base_/schedules/ssdlite.py',
    './_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(
        num_classes=len(_base_.classes),
        # The last three maps of a 960 x 320 input have 8 x 3, 4 x 2 and 2 x 1 cells. The sizes for
        # COCO begin at 48 px, where half of KITTI's objects end.
        anchor_generator=dict(
            strides=[16, 32, 64, (120, 107), (240, 160), (480, 320)],
            min_sizes=[24, 48, 96, 144, 192, 256],
            max_sizes=[48, 96, 144, 192, 256, 304],
        ),
    ),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
