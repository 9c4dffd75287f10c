_base_ = [
    './_base_/detectors/yolov2.py',
    './_base_/datasets/bccd.py',
    './_base_/inputs/darknet.py',
    './_base_/schedules/scratch.py',
    './_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(
        num_classes=len(_base_.classes),
        # k-means with 1 - IoU on the boxes of the train split, at 416 x 416; mean IoU 0.85.
        anchor_generator=dict(
            type='YOLOAnchorGenerator',
            base_sizes=[[(25.4, 32.9), (65.6, 73.7), (63.0, 89.3), (74.8, 93.6), (139.8, 169.0)]],
            strides=[32],
        ),
        # Without pre-trained weights the squared error behind a sigmoid, whose gradient vanishes
        # with the objectness, can stay near 0; the cross-entropy does not.
        loss_conf=dict(type='CrossEntropyLoss', use_sigmoid=True),
        object_scale=1.0,
        warmup_images=1000,
    ),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
