# Laid over configs/yolov2-tiny_bccd.py and its variants by `tools/benchmark.py --overlay`: a
# training of two minutes on one CPU core, with seven thin convolutions of stride 8, 2,160 priors,
# and images of 192 x 144 px.
scale = (192, 144)
max_epochs = 8

model = dict(
    backbone=dict(
        channels=(16, 32, 64, 128, 128, 128, 128),
        pools=(2, 2, 2, 0, 0, 0, 0),
        norm_cfg=dict(type='BN', eps=1e-5, momentum=0.1),
    ),
    bbox_head=dict(
        in_channels=128,
        # Of tools/anchors.py; mean IoU 0.85.
        anchor_generator=dict(
            base_sizes=[
                [(11.7, 11.1), (30.3, 26.1), (29.1, 30.9), (34.5, 32.4), (64.8, 59.3)],
            ],
            strides=[8],
        ),
    ),
)
# Smaller steps, and twice as many of them.
train_dataloader = dict(batch_size=4, dataset=dict(pipeline={'2': dict(scale=scale)}))
val_dataloader = dict(dataset=dict(pipeline={'1': dict(scale=scale)}))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = {'1': dict(end=max_epochs, T_max=max_epochs)}
train_cfg = dict(max_epochs=max_epochs)
