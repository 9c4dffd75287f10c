# Every reading of the method that the abstract leaves open, and its rivals, on KITTI's subset.
_base_ = './_base_/yolov2-tiny-transfer_kitti_416x128.py'
variants = [
    'yolov2-tiny-transfer_lrm-late_kitti.py',
    dict(hard_ratio=0.05),
    dict(hard_ratio=0.1),
    dict(hard_ratio=0.25),
    dict(hard_ratio=0.5),
    dict(hard_ratio=0.05, nms_iou_thr=0.7),
    dict(hard_ratio=0.25, element='cell'),
    dict(hard_ratio=0.25, rank_by='loss_conf'),
    dict(hard_ratio=0.25, normalizer='hard'),
    dict(hard_ratio=0.25, scope='batch'),
    dict(hard_ratio=0.05, keep_positives=True),
    dict(name='3 to 1', **_base_._three_to_one),
    dict(name='OHEM', **_base_._ohem),
    dict(name='focal loss', **_base_._focal),
    dict(name='focal loss and LRM', hard_ratio=0.25, **_base_._focal),
    dict(name='GHM', **_base_._ghm),
]
main = ['hard_ratio=0.25']
seeds = 3
diagnose = 10
differ = ['model.bbox_head.lrm', 'custom_hooks']  # lrm-late has a hook
