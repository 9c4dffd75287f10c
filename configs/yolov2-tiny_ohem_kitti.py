_base_ = './yolov2-tiny_kitti.py'

# OHEM's selection (Shrivastava et al., CVPR 2016): overlaps thinned by NMS with the loss as score,
# then the 128 hardest.
model = dict(bbox_head=dict(lrm=dict(type='LRMLoss', num_hard=128, nms_iou_thr=0.7)))
