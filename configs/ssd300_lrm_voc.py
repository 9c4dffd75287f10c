_base_ = './ssd300_voc.py'

model = dict(bbox_head=dict(lrm=dict(type='LRMLoss', hard_ratio=0.05)))
