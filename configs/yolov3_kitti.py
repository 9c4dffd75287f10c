_base_ = [
    './_base_/detectors/yolov3.py',
    './_base_/datasets/kitti.py',
    './_base_/inputs/darknet_1248x384.py',
    './_base_/schedules/yolov3.py',
    './_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(
        num_classes=len(_base_.classes),
        # Of tools/anchors.py on the usual train split; mean IoU 0.72.
        anchor_generator=dict(
            base_sizes=[
                [(63.9, 147.6), (164.0, 92.3), (273.6, 177.1)],
                [(74.8, 32.9), (55.8, 47.0), (106.1, 55.5)],
                [(25.5, 20.3), (39.7, 28.4), (23.4, 60.0)],
            ],
        ),
    ),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
