# Every reading of the method that the abstract leaves open, its rivals, and controls, on cells.
_base_ = ['./_base_/yolov2-tiny_bccd_192x144.py', './_base_/parts.py']
variants = [
    'yolov2-tiny_lrm-late_bccd.py',
    dict(name='yolov2-tiny_3to1_bccd', **_base_._three_to_one),
    dict(name='yolov2-tiny_ohem_bccd', **_base_._ohem),
    dict(name='yolov2-tiny_focal_bccd', **_base_._focal),
    dict(name='yolov2-tiny_lrm-focal_bccd', hard_ratio=0.25, **_base_._focal),
    dict(name='yolov2-tiny_ghm_bccd', **_base_._ghm),
    dict(hard_ratio=0.02),
    dict(hard_ratio=0.05),
    dict(hard_ratio=0.1),
    dict(hard_ratio=0.25),
    dict(hard_ratio=0.5),
    dict(hard_ratio=0.02, keep_positives=True),
    dict(hard_ratio=0.05, element='cell'),
    dict(hard_ratio=0.05, rank_by='loss_conf'),
    dict(hard_ratio=0.25, rank_by='loss_conf'),
    dict(hard_ratio=0.05, nms_iou_thr=0.7),
    dict(hard_ratio=0.05, normalizer='hard'),
    dict(hard_ratio=0.05, scope='batch'),
    # Controls: what mining might do by way of the weight of the objects, or of the step's size.
    {'model.bbox_head.object_scale': 5.0},
    {'optim_wrapper.optimizer.lr': 0.001},
    {'optim_wrapper.optimizer.lr': 0.004},
    {'hard_ratio': 0.05, 'rank_by': 'loss_conf', 'optim_wrapper.optimizer.lr': 0.004},
]
main = ['hard_ratio=0.25']
seeds = 3
diagnose = 13
differ = ['model.bbox_head.lrm', 'custom_hooks']  # lrm-late has a hook
