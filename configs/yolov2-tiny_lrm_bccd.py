_base_ = './yolov2-tiny_bccd.py'

model = dict(bbox_head=dict(lrm=dict(type='LRMLoss', hard_ratio=0.25)))
