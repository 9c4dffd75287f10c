# SSD: mining in the place of its own selection of three negatives for each positive. Eleven minutes
# on one CPU core, 2,052 priors, of which the selection keeps about 90 and 5 % are 103.
baseline = 'ssdlite_bccd.py'
variants = [dict(hard_ratio=0.05)]
seeds = 3
last = 3
input_size = (256, 256)
epochs = 24
reduced = {
    'model.bbox_head.anchor_generator.strides': [16, 32, 64, 128, 256, 256],
    # Those of the config, reduced as the images are.
    'model.bbox_head.anchor_generator.min_sizes': [19, 45, 77, 115, 154, 205],
    'model.bbox_head.anchor_generator.max_sizes': [45, 77, 115, 154, 205, 243],
    # Smaller steps, more of them and larger ones; 205 images leave no batch of one, whose smallest
    # maps would have a single value to normalise.
    'train_dataloader.batch_size': 5,
    'optim_wrapper.optimizer.lr': 2e-3,
}
