_base_ = [
    './_base_/detectors/yolov3-mobilenetv2.py',
    './_base_/datasets/bccd.py',
    './_base_/inputs/darknet_320x256.py',
    './_base_/schedules/scratch.py',
    './_base_/default_runtime.py',
]
# 'open-mmlab://mmdet/mobilenet_v2' downloads and starts from ImageNet's weights.
pretrained = None

model = dict(
    backbone=dict(init_cfg=pretrained and dict(type='Pretrained', checkpoint=pretrained)),
    bbox_head=dict(
        num_classes=len(_base_.classes),
        # White cells, red cells and platelets are near 100, 52 and 20 px at this size.
        anchor_generator=dict(
            base_sizes=[
                [(85, 80), (108, 100), (130, 120)],
                [(43, 44), (52, 52), (62, 58)],
                [(15, 15), (20, 20), (27, 26)],
            ],
        ),
    ),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
