_base_ = [
    './_base_/detectors/yolov2-darknet.py',
    './_base_/datasets/voc.py',
    './_base_/inputs/darknet-jitter.py',
    './_base_/schedules/sgd.py',
    './_base_/default_runtime.py',
]

from mmdet_lrm.configs import with_pipeline

# The recipe of darknet's yolov2-voc.cfg; in brackets the key there that a number comes from.
# Give darknet19_448.conv.23, imported by tools/darknet.py with --backbone, as it is trained from.
pretrained = None

model = dict(
    backbone=dict(
        init_cfg=dict(_delete_=True, type='Pretrained', checkpoint=pretrained, prefix='backbone.')
        if pretrained
        else {}
    ),
    bbox_head=dict(
        num_classes=20,  # [classes]
        # The priors [anchors], object_scale 5, the other scales 1, rescore, [thresh] 0.6 and the
        # pull to the priors for 12,800 images are the head's defaults.
        max_gts=30,  # region_layer.c
        # Darknet begins with an objectness of 0.5, which its pre-trained backbone stands.
        init_conf_prob=None if pretrained else 0.01,
    ),
)

train_dataloader = dict(
    batch_size=64,  # [batch]; smaller ones want optim_wrapper.accumulative_counts
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(datasets=with_pipeline(_base_.train_pipeline, _base_.voc07, _base_.voc12)),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader

# [learning_rate, momentum, decay] are those of the schedule, which decays convolutions only.
param_scheduler = [
    dict(type='BurnInLR', end=1000, power=4),  # [burn_in], network.c
    dict(
        type='MultiStepLR', by_epoch=False, milestones=[40000, 60000], gamma=0.1
    ),  # [steps, scales]
]
train_cfg = dict(
    _delete_=True,
    type='IterBasedTrainLoop',
    max_iters=80200,  # [max_batches]
    val_interval=2000,
)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=2000))
log_processor = dict(by_epoch=False)
