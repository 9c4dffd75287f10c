_base_ = [
    './_base_/detectors/yolov3-mobilenetv2.py',
    './_base_/datasets/kitti.py',
    './_base_/inputs/darknet_640x192.py',
    './_base_/schedules/yolov3-mobilenetv2.py',
    './_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(
        num_classes=3,
        # k-means with 1 - IoU on the boxes of the usual train split, at this size; mean IoU 0.72.
        anchor_generator=dict(
            base_sizes=[
                [(32.8, 73.3), (87.0, 47.8), (140.5, 89.6)],
                [(38.7, 16.9), (27.8, 24.6), (55.4, 28.6)],
                [(12.8, 10.1), (20.5, 14.1), (10.6, 27.1)],
            ],
        ),
    ),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
