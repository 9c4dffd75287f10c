_base_ = './yolov3-mobilenetv2_lrm-objectness_bccd.py'

# The same on a balanced focal loss, which the authors found to add to the mining.
model = dict(bbox_head=dict(loss_conf=dict(loss='FocalLoss', gamma=1.5, alpha=0.25)))
