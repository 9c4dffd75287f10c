# What is asked of the paper's detector on each of its data sets: the abstract's method for three K,
# thinned as OHEM thins, and its rivals, with darknet's own loss and from ImageNet's weights.
_base_ = './parts.py'
variants = [
    dict(hard_ratio=0.25),
    dict(hard_ratio=0.05),
    dict(hard_ratio=0.02),
    dict(hard_ratio=0.05, nms_iou_thr=0.7),
    dict(name='3 to 1', **_base_._three_to_one),
    dict(name='focal loss', **_base_._focal_for_squared),
]
seeds = 5
last = 5
needs = {
    'darknet19_448.conv.23 (79 MB)': 'https://pjreddie.com/media/files/darknet19_448.conv.23, and '
    'https://github.com/pjreddie/darknet/blob/master/cfg/darknet19_448.cfg; then python '
    'tools/darknet.py import darknet19_448.cfg darknet19_448.conv.23 --backbone '
    '--out data/darknet19_448',
}
