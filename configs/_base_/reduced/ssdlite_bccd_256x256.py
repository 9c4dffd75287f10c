# Laid over configs/ssdlite_bccd.py and its variants by `tools/benchmark.py --overlay`: a training
# of eleven minutes on one CPU core, on images of 256 x 256 px, with 2,052 priors.
scale = (256, 256)
max_epochs = 24

model = dict(
    bbox_head=dict(
        anchor_generator=dict(
            strides=[16, 32, 64, 128, 256, 256],
            # Those of the config, reduced as the images are.
            min_sizes=[19, 45, 77, 115, 154, 205],
            max_sizes=[45, 77, 115, 154, 205, 243],
        ),
    ),
)
# Smaller steps, more of them and larger ones; 205 images leave no batch of one, whose smallest maps
# would have a single value to normalise.
train_dataloader = dict(batch_size=5, dataset=dict(pipeline={'2': dict(scale=scale)}))
val_dataloader = dict(dataset=dict(pipeline={'1': dict(scale=scale)}))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = {'1': dict(end=max_epochs, T_max=max_epochs)}
train_cfg = dict(max_epochs=max_epochs)
