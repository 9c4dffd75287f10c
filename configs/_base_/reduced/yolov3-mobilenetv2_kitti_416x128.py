# Laid over configs/yolov3-mobilenetv2_kitti.py and its variants by `tools/benchmark.py --overlay`:
# a training of nine minutes on one CPU core, from scratch, on images of 416 x 128 px, with 3,276
# priors.
scale = (416, 128)
max_epochs = 6

model = dict(
    # ImageNet's weights are a download.
    backbone=dict(init_cfg=None),
    bbox_head=dict(
        # Those of the config, reduced as the images are.
        anchor_generator=dict(
            base_sizes=[
                [(21.3, 49.2), (54.7, 30.7), (91.2, 59.1)],
                [(24.9, 11.0), (18.6, 15.7), (35.4, 18.5)],
                [(8.5, 6.7), (13.3, 9.5), (7.8, 20.0)],
            ],
        ),
    ),
)
# Smaller steps, and twice as many of them.
train_dataloader = dict(batch_size=4, dataset=dict(pipeline={'2': dict(scale=scale)}))
val_dataloader = dict(dataset=dict(pipeline={'1': dict(scale=scale)}))
test_dataloader = val_dataloader
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=0.01),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.01,
        begin=0,
        end=max_epochs,
        T_max=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=max_epochs)
