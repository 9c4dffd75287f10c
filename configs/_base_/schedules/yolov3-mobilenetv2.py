_base_ = './yolov3.py'

# mmdet's schedule of YOLOv3 with MobileNetV2; scale the rate to your batch with --auto-scale-lr.
lr = 3e-3
max_epochs = 300
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.0001, by_epoch=False, begin=0, end=4000),
    dict(type='MultiStepLR', by_epoch=True, milestones=[240, 280], gamma=0.1),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=10)
auto_scale_lr = dict(base_batch_size=192)
