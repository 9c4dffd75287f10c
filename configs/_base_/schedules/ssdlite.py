_base_ = './ssd300.py'

# mmdet's schedule of SSDLite, from scratch; scale the rate to your batch with --auto-scale-lr.
lr = 0.015
max_epochs = 600
optim_wrapper = dict(optimizer=dict(lr=lr, weight_decay=4e-5))
param_scheduler = [
    _base_.param_scheduler[0],
    dict(type='CosineAnnealingLR', begin=0, T_max=max_epochs, end=max_epochs, eta_min=0),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=20)
auto_scale_lr = dict(base_batch_size=192)
