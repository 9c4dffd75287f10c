# The tiny network with darknet's own loss, from scratch on cells: K, SSD's rule, and controls.
_base_ = ['./_base_/yolov2-tiny_bccd_192x144.py', './_base_/parts.py']
variants = [
    dict(hard_ratio=0.25),
    dict(hard_ratio=0.05),
    dict(hard_ratio=0.02),
    dict(name='3 to 1', **_base_._three_to_one),
    # Controls: what mining might do by way of the weight of the objects, or of the step's size.
    {'model.bbox_head.object_scale': 20.0},
    {'optim_wrapper.optimizer.lr': 0.004},
]
options = _base_._squared | _base_._unbiased
main = ['hard_ratio=0.25']
seeds = 3
diagnose = 13
