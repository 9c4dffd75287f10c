# Laid over configs/yolov3-mobilenetv2_bccd.py and its variants by `tools/benchmark.py --overlay`: a
# training of three minutes on one CPU core, on images of 192 x 160 px, with 1,890 priors.
scale = (192, 160)
max_epochs = 8

model = dict(
    bbox_head=dict(
        # Those of the config, reduced as the images are.
        anchor_generator=dict(
            base_sizes=[
                [(51, 50), (65, 63), (78, 75)],
                [(26, 28), (31, 33), (37, 36)],
                [(9, 9), (12, 13), (16, 16)],
            ],
        ),
    ),
)
# Smaller steps, more of them and larger ones.
train_dataloader = dict(batch_size=5, dataset=dict(pipeline={'2': dict(scale=scale)}))
val_dataloader = dict(dataset=dict(pipeline={'1': dict(scale=scale)}))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = {'1': dict(end=max_epochs, T_max=max_epochs)}
train_cfg = dict(max_epochs=max_epochs)
