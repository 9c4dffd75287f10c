_base_ = './yolov3_voc.py'

model = dict(bbox_head=dict(lrm=dict(type='LRMLoss', hard_ratio=0.25, scope='level')))
