# Is mining worth more if it ends? With darknet's loss, K of 5 % up to a quarter of the training,
# from where it grows linearly to all priors at three quarters.
_base_ = ['./_base_/yolov2-tiny_bccd_192x144.py', './_base_/parts.py']
variants = [
    dict(hard_ratio=0.05),
    dict(
        name='hard_ratio=0.05, released',
        hard_ratio=0.05,
        custom_hooks=[dict(type='LRMScheduleHook', release=(2, 6))],
    ),
]
options = _base_._squared | _base_._unbiased
seeds = 3
