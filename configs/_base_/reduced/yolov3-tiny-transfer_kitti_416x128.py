# Laid over configs/yolov3-tiny-transfer_kitti.py and its variants by
# `tools/benchmark.py --overlay`: a training of five minutes on one CPU core, on images of
# 416 x 128 px, with 3,120 priors.
scale = (416, 128)
max_epochs = 6

model = dict(
    bbox_head=dict(
        # Those of the config, reduced as the images are.
        anchor_generator=dict(
            base_sizes=[
                [(32.2, 17.5), (50.2, 30.9), (89.1, 58.5)],
                [(11.0, 7.7), (9.5, 23.7), (18.5, 12.4)],
            ],
        ),
    ),
)
train_dataloader = dict(dataset=dict(pipeline={'2': dict(scale=scale)}))
val_dataloader = dict(dataset=dict(pipeline={'1': dict(scale=scale)}))
test_dataloader = val_dataloader
param_scheduler = {'1': dict(end=max_epochs, T_max=max_epochs)}
train_cfg = dict(max_epochs=max_epochs)
