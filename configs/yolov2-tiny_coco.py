_base_ = './yolov2_coco.py'

# Darknet's tiny network in the place of Darknet-19 with passthrough.
model = dict(backbone=dict(_delete_=True, type='TinyYOLOV2'), neck=None)
