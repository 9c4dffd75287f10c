# What a user might do instead of mining, on the same smears and seeds. See confirmation.md.
_base_ = './bloodpbc.py'
variants = [
    dict(name='half as long again', epochs=48),
    {'name': 'objects twice', 'model.bbox_head.object_scale': 2.0},
    {'name': 'rate twice', 'optim_wrapper.optimizer.lr': 4e-3},
    {'name': 'soft-NMS', 'model.test_cfg.nms': dict(type='soft_nms', iou_threshold=0.45)},
]
