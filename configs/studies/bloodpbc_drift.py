# Does the background stay down on the smears where most of it does not train? Measured in every
# epoch of trainings like the first two of bloodpbc.py, which are not evaluated once more.
_base_ = './bloodpbc.py'
variants = [dict(hard_ratio=0.05, nms_iou_thr=0.7)]
seeds = 1
metric = 'end/0.25/gradient/easy'
diagnose = 149
evaluate = False
