_base_ = './yolov3-mobilenetv2_custom-voc.py'

model = dict(bbox_head=dict(lrm=dict(type='LRMLoss', hard_ratio=0.25, scope='level')))
