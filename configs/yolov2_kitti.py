_base_ = [
    './_base_/detectors/yolov2-darknet.py',
    './_base_/datasets/kitti.py',
    './_base_/inputs/darknet-jitter_1248x384.py',
    './_base_/schedules/sgd.py',
    './_base_/default_runtime.py',
]
# The recipe of yolov2_voc.py for KITTI's wide images, on one GPU of 12 GB; in brackets the key of
# darknet's yolov2-voc.cfg that a number comes from.
# Give darknet19_448.conv.23, imported by tools/darknet.py with --backbone, as it is trained from.
pretrained = None

model = dict(
    data_preprocessor=dict(
        # Another height of 288, 320, ... 544, which is to 384 about what darknet's 320 to 608 are
        # to 416. The width follows.
        batch_augments=[
            {**_base_.model.data_preprocessor.batch_augments[0], 'random_size_range': (288, 544)}
        ],
    ),
    backbone=dict(
        init_cfg=dict(_delete_=True, type='Pretrained', checkpoint=pretrained, prefix='backbone.')
        if pretrained
        else {}
    ),
    bbox_head=dict(
        num_classes=len(_base_.classes),
        # Of tools/anchors.py on the usual train split, at 1248 x 384; mean IoU 0.67.
        # With yolov2-voc.cfg's five priors none is tall, as pedestrians are.
        anchor_generator=dict(
            type='YOLOAnchorGenerator',
            base_sizes=[
                [
                    (33.0, 23.8),
                    (28.5, 71.3),
                    (55.6, 37.2),
                    (96.7, 52.6),
                    (150.5, 92.7),
                    (267.4, 175.5),
                ],
            ],
            strides=[32],
        ),
        # The scales, rescore, [thresh] 0.6 and the pull to the priors for 12,800 images are the
        # head's defaults. All truths are learnt, not the first 30 only as in region_layer.c.
        # Darknet begins with an objectness of 0.5, which its pre-trained backbone stands.
        init_conf_prob=None if pretrained else 0.01,
    ),
)

train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader

# [learning_rate, momentum, decay] are those of the schedule, which decays convolutions only. So are
# its 160 epochs and the steps after 60 and 90: of the YOLO9000 paper, since the iterations of the
# .cfg are counted for VOC.
param_scheduler = [
    dict(type='BurnInLR', end=1000, power=4),  # [burn_in], network.c
    dict(type='MultiStepLR', by_epoch=True, milestones=[60, 90], gamma=0.1),
]
