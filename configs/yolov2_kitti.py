_base_ = [
    './_base_/detectors/yolov2.py',
    './_base_/datasets/kitti.py',
    './_base_/inputs/darknet_1248x384.py',
    './_base_/schedules/sgd.py',
    './_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(
        num_classes=3,
        # Of tools/anchors.py on the usual train split, at 1248 x 384; mean IoU 0.67.
        # With yolov2-voc.cfg's five priors none is tall, as pedestrians are.
        anchor_generator=dict(
            type='YOLOAnchorGenerator',
            base_sizes=[
                [
                    (33.0, 23.8),
                    (28.5, 71.3),
                    (55.6, 37.2),
                    (96.7, 52.6),
                    (150.5, 92.7),
                    (267.4, 175.5),
                ],
            ],
            strides=[32],
        ),
    ),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
