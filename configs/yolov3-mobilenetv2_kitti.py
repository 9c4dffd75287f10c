_base_ = [
    './_base_/detectors/yolov3-mobilenetv2.py',
    './_base_/datasets/kitti.py',
    './_base_/inputs/darknet_640x192.py',
    './_base_/schedules/yolov3-mobilenetv2.py',
    './_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(
        num_classes=len(_base_.classes),
        # Of tools/anchors.py on the usual train split; mean IoU 0.72.
        anchor_generator=dict(
            base_sizes=[
                [(32.8, 73.8), (84.1, 46.1), (140.3, 88.6)],
                [(38.3, 16.5), (28.6, 23.5), (54.4, 27.8)],
                [(13.1, 10.1), (20.4, 14.2), (12.0, 30.0)],
            ],
        ),
    ),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
