_base_ = [
    './_base_/detectors/yolov2.py',
    './_base_/datasets/coco.py',
    './_base_/inputs/darknet.py',
    './_base_/schedules/sgd.py',
    './_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(
        num_classes=80,
        # yolov2.cfg's, for COCO.
        anchor_generator=dict(
            type='YOLOAnchorGenerator',
            base_sizes=[
                [
                    (18.33, 21.68),
                    (59.98, 66.0),
                    (106.83, 175.18),
                    (252.25, 112.89),
                    (312.66, 293.38),
                ]
            ],
            strides=[32],
        ),
    ),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
