_base_ = 'mmdet::_base_/models/ssd300.py'

# As long as it has no `lrm` the head selects its negatives as mmdet's does, 3:1, but knows ignored
# instances, which mmdet's trains as background.
model = dict(bbox_head=dict(type='LRMSSDHead', ignore_iof_thr=0.5))
