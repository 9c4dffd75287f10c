_base_ = './ssdlite_bccd.py'

model = dict(bbox_head=dict(lrm=dict(type='LRMLoss', hard_ratio=0.05)))
