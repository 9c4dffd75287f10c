_base_ = [
    './_base_/detectors/yolov3.py',
    './_base_/datasets/kitti.py',
    './_base_/inputs/darknet_640x192.py',
    './_base_/schedules/scratch.py',
    './_base_/default_runtime.py',
]
# YOLOv3's neck and head on two levels of the network of yolov2-tiny-transfer_kitti.py, for there
# are weights of VOC for it, made as described there.
pretrained = '{{$PRETRAINED:tiny-yolov2-trial3.pth}}'
norm_cfg = dict(type='BN', eps=1e-5, momentum=0.1)
lr = 2e-3

model = dict(
    backbone=dict(
        _delete_=True,
        type='TinyYOLOV2',
        channels=(16, 32, 64, 128, 128, 256, 256),
        pools=(2, 2, 2, 2, 1, 0, 0),
        out_indices=(3, 6),
        norm_cfg=norm_cfg,
        init_cfg=[
            dict(type='Kaiming', layer='Conv2d', mode='fan_in'),
            dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.'),
        ],
    ),
    neck=dict(num_scales=2, in_channels=[256, 128], out_channels=[128, 64], norm_cfg=norm_cfg),
    bbox_head=dict(
        num_classes=len(_base_.classes),
        in_channels=[128, 64],
        out_channels=[256, 128],
        norm_cfg=norm_cfg,
        featmap_strides=[16, 8],
        # Those of yolov2-tiny_kitti.py, the larger ones on the coarser level.
        anchor_generator=dict(
            base_sizes=[
                [(49.6, 26.3), (77.2, 46.3), (137.1, 87.7)],
                [(16.9, 11.9), (14.6, 35.6), (28.5, 18.6)],
            ],
            strides=[16, 8],
        ),
    ),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader

# As there: the old layers move more slowly than the new ones.
optim_wrapper = dict(
    optimizer=dict(lr=lr),
    paramwise_cfg=dict(
        custom_keys={
            'backbone': dict(lr_mult=0.1),
            'backbone.stages.6': dict(lr_mult=1.0),
        }
    ),
)
