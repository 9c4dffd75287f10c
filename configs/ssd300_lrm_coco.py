_base_ = './ssd300_coco.py'

model = dict(bbox_head=dict(lrm=dict(type='LRMLoss', hard_ratio=0.05)))
