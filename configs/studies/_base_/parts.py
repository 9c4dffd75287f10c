# Options that several studies are made of.

# Other ways to keep the easy background from outweighing the objects.
# Focal loss (Lin et al., ICCV 2017) on the objectness; 4 * alpha leaves positives their weight.
_focal = {
    'model.bbox_head.loss_conf.type': 'FocalLoss',
    'model.bbox_head.loss_conf.gamma': 2.0,
    'model.bbox_head.loss_conf.alpha': 0.25,
    'model.bbox_head.loss_conf.loss_weight': 4.0,
}
# The same in the place of darknet's squared error, whose five-fold weight of objects it has no use
# for.
_focal_for_squared = {
    'model.bbox_head.loss_conf': dict(
        type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=4.0
    ),
    'model.bbox_head.object_scale': 1.0,
}
# The gradient harmonizing mechanism (Li et al., AAAI 2019) on the objectness.
_ghm = {
    'model.bbox_head.loss_conf.type': 'GHMC',
    'model.bbox_head.loss_conf.bins': 10,
    'model.bbox_head.loss_conf.momentum': 0.75,
}
# SSD's selection: all positives, and three negatives for each, by their objectness.
_three_to_one = dict(type='HardNegativeLoss', neg_pos_ratio=3, rank_by='loss_conf')
# Online hard example mining (Shrivastava et al., CVPR 2016): thin by NMS, keep the 128 hardest.
_ohem = dict(num_hard=128, nms_iou_thr=0.7)

# Darknet's squared error of the objectness in the place of the cross-entropy.
_squared = {
    'model.bbox_head.loss_conf': dict(_delete_=True, type='MSELoss', loss_weight=0.5),
    'model.bbox_head.object_scale': 5.0,
}
# Without the bias towards background that its head begins with here, as in darknet.
_unbiased = {'model.bbox_head.init_conf_prob': None}

# Priors of the tiny YOLOv2 on KITTI at 416 x 128 px: the config's, reduced as the images are.
_tiny_416x128 = {
    'model.bbox_head.anchor_generator.base_sizes': [
        [(11.0, 7.7), (9.5, 23.7), (18.5, 12.4), (32.2, 17.5), (50.2, 30.9), (89.1, 58.5)],
    ],
}
