_base_ = [
    './_base_/detectors/yolov2-tiny.py',
    './_base_/datasets/kitti.py',
    './_base_/inputs/darknet_640x192.py',
    './_base_/schedules/sgd.py',
    './_base_/default_runtime.py',
]
# A detector that a CPU trains from scratch: 7 convolutions, half the size of KITTI's images, stride
# 16, and a schedule of minutes, for which three of darknet's settings are too slow.
max_epochs = 15
lr = 2e-3

model = dict(
    backbone=dict(
        channels=(16, 32, 64, 128, 128, 256, 256),
        pools=(2, 2, 2, 2, 1, 0, 0),
        # 0.01 would average over a hundred steps, a tenth of them all.
        norm_cfg=dict(type='BN', eps=1e-5, momentum=0.1),
    ),
    bbox_head=dict(
        num_classes=len(_base_.classes),
        in_channels=256,
        # Of tools/anchors.py on the usual train split; mean IoU 0.67.
        anchor_generator=dict(
            base_sizes=[
                [
                    (16.9, 11.9),
                    (14.6, 35.6),
                    (28.5, 18.6),
                    (49.6, 26.3),
                    (77.2, 46.3),
                    (137.1, 87.7),
                ],
            ],
            strides=[16],
        ),
        # The gradient of a squared error behind a sigmoid vanishes where the objectness is near 0,
        # which is where every prior arrives first: without pre-trained weights it stayed there for
        # the four epochs tried. That of the cross-entropy does not, nor need positives a scale.
        loss_conf=dict(type='CrossEntropyLoss', use_sigmoid=True),
        object_scale=1.0,
        warmup_images=1000,
    ),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=lr, weight_decay=0.01),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.01,
        begin=min(1, max_epochs - 1),
        end=max_epochs,
        T_max=max(1, max_epochs - 1),
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=5)
