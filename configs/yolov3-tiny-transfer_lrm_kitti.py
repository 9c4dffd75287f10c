_base_ = './yolov3-tiny-transfer_kitti.py'

model = dict(bbox_head=dict(lrm=dict(type='LRMLoss', hard_ratio=0.25, scope='level')))
