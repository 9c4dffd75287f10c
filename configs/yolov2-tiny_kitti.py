_base_ = './yolov2_kitti.py'

# A network for a CPU: 7 convolutions, half the size of KITTI's images, stride 16.
img_scale = (640, 192)
max_epochs = 24

resize = dict(type='Resize', scale=img_scale, keep_ratio=False)
train_pipeline = [*_base_.load_pipeline, resize, *_base_.augment_pipeline, _base_.pack]
test_pipeline = [_base_.load_pipeline[0], resize, _base_.load_pipeline[1], _base_.pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

model = dict(
    backbone=dict(
        _delete_=True,
        type='TinyYOLOV2',
        channels=(16, 32, 64, 128, 128, 256, 256),
        pools=(2, 2, 2, 2, 1, 0, 0),
    ),
    neck=None,
    bbox_head=dict(
        in_channels=256,
        anchor_generator=dict(
            base_sizes=[
                [
                    (15.1, 11.7),
                    (27.8, 17.7),
                    (15.1, 36.3),
                    (49.1, 26.6),
                    (72.4, 51.3),
                    (140.8, 87.9),
                ]
            ],
            strides=[16],
        ),
    ),
)

train_cfg = dict(max_epochs=max_epochs, val_interval=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='MultiStepLR', by_epoch=True, milestones=[18, 22], gamma=0.1),
]
