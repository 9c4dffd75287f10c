_base_ = './yolov2.py'

# YOLOv2 as darknet trains it; in brackets the key of yolov2-voc.cfg that a number comes from.
model = dict(
    data_preprocessor=dict(
        # [random=1]: every 10 batches another size of 320, 352, ... 608, as detector.c draws them.
        batch_augments=[
            dict(
                type='BatchSyncRandomResize',
                random_size_range=(320, 608),
                interval=10,
                size_divisor=32,
            )
        ],
    ),
    backbone=dict(
        # Of batchnorm_layer.c: running means move by 0.01, and cuDNN's epsilon is 1e-5.
        norm_cfg=dict(type='BN', momentum=0.01, eps=1e-5),
        init_cfg=dict(type='Kaiming', layer='Conv2d', mode='fan_in'),
    ),
)
