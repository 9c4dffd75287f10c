# Is mining worth more if it ends, in the longer training on dense red cells where it gains?
_base_ = './bccd_dense_long.py'
variants = [
    dict(hard_ratio=0.05, nms_iou_thr=0.7),
    dict(
        name='hard_ratio=0.05 nms_iou_thr=0.7, released',
        hard_ratio=0.05,
        nms_iou_thr=0.7,
        custom_hooks=[dict(type='LRMScheduleHook', release=(6, 18))],
    ),
]
