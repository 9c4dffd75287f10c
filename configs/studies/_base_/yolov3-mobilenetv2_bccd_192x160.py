# A training of three minutes on one CPU core, with 1,890 priors.
baseline = 'yolov3-mobilenetv2_bccd.py'
input_size = (192, 160)
epochs = 8
reduced = {
    # Those of the config, reduced as the images are.
    'model.bbox_head.anchor_generator.base_sizes': [
        [(51, 50), (65, 63), (78, 75)],
        [(26, 28), (31, 33), (37, 36)],
        [(9, 9), (12, 13), (16, 16)],
    ],
    # Smaller steps, more of them and larger ones.
    'train_dataloader.batch_size': 5,
    'optim_wrapper.optimizer.lr': 2e-3,
}
