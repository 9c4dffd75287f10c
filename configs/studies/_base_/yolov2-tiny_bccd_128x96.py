# A training of less than a minute on one CPU core, for studies of many seeds: 960 priors.
_base_ = './yolov2-tiny_bccd_192x144.py'
input_size = (128, 96)
epochs = 6
reduced = {
    # Those of the larger images, reduced as they are.
    'model.bbox_head.anchor_generator.base_sizes': [
        [(7.8, 7.4), (20.2, 17.4), (19.4, 20.6), (23.0, 21.6), (43.2, 39.5)],
    ],
    # Writing a checkpoint, and evaluating before the end, takes as long as half an epoch.
    'default_hooks.checkpoint.interval': 6,
    'train_cfg.val_interval': 6,
}
