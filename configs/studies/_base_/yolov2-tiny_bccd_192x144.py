# A training of two minutes on one CPU core: seven thin convolutions of stride 8, 2,160 priors.
baseline = 'yolov2-tiny_bccd.py'
input_size = (192, 144)
epochs = 8
reduced = {
    'model.backbone.channels': (16, 32, 64, 128, 128, 128, 128),
    'model.backbone.pools': (2, 2, 2, 0, 0, 0, 0),
    'model.backbone.norm_cfg': dict(type='BN', eps=1e-5, momentum=0.1),
    'model.bbox_head.in_channels': 128,
    # Of tools/anchors.py; mean IoU 0.85.
    'model.bbox_head.anchor_generator.base_sizes': [
        [(11.7, 11.1), (30.3, 26.1), (29.1, 30.9), (34.5, 32.4), (64.8, 59.3)],
    ],
    'model.bbox_head.anchor_generator.strides': [8],
    # Smaller steps, and twice as many of them.
    'train_dataloader.batch_size': 4,
    'optim_wrapper.optimizer.lr': 2e-3,
}
