# Laid over configs/yolov2_bccd.py and its variants by `tools/benchmark.py --overlay`: a training of
# eleven minutes on one CPU core, with all of Darknet-19, images of 192 x 160 px and 150 priors.
scale = (192, 160)
max_epochs = 8
# Of the few steps there are, faster than darknet's.
norm_cfg = dict(type='BN', eps=1e-5, momentum=0.1)

model = dict(
    backbone=dict(norm_cfg=norm_cfg),
    neck=dict(norm_cfg=norm_cfg),
    bbox_head=dict(
        # Those of the config, reduced as the images are.
        anchor_generator=dict(
            base_sizes=[[(11.7, 12.7), (30.3, 28.3), (29.1, 34.3), (34.5, 36.0), (64.5, 65.0)]],
        ),
    ),
)
# Smaller steps, and twice as many of them.
train_dataloader = dict(batch_size=4, dataset=dict(pipeline={'2': dict(scale=scale)}))
val_dataloader = dict(dataset=dict(pipeline={'1': dict(scale=scale)}))
test_dataloader = val_dataloader
# Fused, a step with 50 million weights takes a tenth of the time.
optim_wrapper = dict(optimizer=dict(lr=2e-3, fused=True))
param_scheduler = {'1': dict(end=max_epochs, T_max=max_epochs)}
train_cfg = dict(max_epochs=max_epochs)
