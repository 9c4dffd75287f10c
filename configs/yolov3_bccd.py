_base_ = [
    './_base_/detectors/yolov3.py',
    './_base_/datasets/bccd.py',
    './_base_/inputs/darknet.py',
    './_base_/schedules/scratch.py',
    './_base_/default_runtime.py',
]
# 'open-mmlab://darknet53' downloads and starts from ImageNet's weights.
pretrained = None

model = dict(
    backbone=dict(init_cfg=pretrained and dict(type='Pretrained', checkpoint=pretrained)),
    bbox_head=dict(
        num_classes=len(_base_.classes),
        # White cells, red cells and platelets are near 127 x 153, 68 x 87 and 27 x 35 px here.
        anchor_generator=dict(
            base_sizes=[
                [(110, 140), (140, 170), (170, 200)],
                [(56, 76), (68, 88), (80, 96)],
                [(20, 26), (26, 34), (34, 45)],
            ],
        ),
    ),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
