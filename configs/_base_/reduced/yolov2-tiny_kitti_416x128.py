# Laid over configs/yolov2-tiny_kitti.py and its variants by `tools/benchmark.py --overlay`: a
# training of five minutes on one CPU core, from darknet's network of VOC as
# yolov2-tiny-transfer_kitti.py, on images of 416 x 128 px.
scale = (416, 128)
max_epochs = 6
pretrained = '{{$PRETRAINED:tiny-yolov2-trial3.pth}}'

model = dict(
    backbone=dict(
        init_cfg=[
            dict(type='Kaiming', layer='Conv2d', mode='fan_in'),
            dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.'),
        ]
    ),
    bbox_head=dict(
        # Those of the config, reduced as the images are.
        anchor_generator=dict(
            base_sizes=[
                [(11.0, 7.7), (9.5, 23.7), (18.5, 12.4), (32.2, 17.5), (50.2, 30.9), (89.1, 58.5)],
            ],
        ),
    ),
)
train_dataloader = dict(dataset=dict(pipeline={'2': dict(scale=scale)}))
val_dataloader = dict(dataset=dict(pipeline={'1': dict(scale=scale)}))
test_dataloader = val_dataloader
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'backbone': dict(lr_mult=0.1),
            'backbone.stages.6': dict(lr_mult=1.0),
        }
    )
)
param_scheduler = {'1': dict(end=max_epochs, T_max=max_epochs - 1)}
train_cfg = dict(max_epochs=max_epochs)
