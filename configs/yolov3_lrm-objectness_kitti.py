_base_ = './yolov3_kitti.py'

# The reading of the method in arXiv 2202.13080 (YOLOv5, thermal images): the objectness alone is
# ranked and mined, in each level of each image apart, and 65 % of it is ignored. Without `lrm` and
# `ignore_iof_thr` the head is mmdet's, which passes the loss one level at a time. Terms are sums
# here, as in mmdet; normalizer='hard' would be YOLOv5's mean over the kept, for its own gains.
model = dict(
    bbox_head=dict(
        ignore_iof_thr=None,
        loss_conf=dict(
            type='LRMElementLoss', loss='CrossEntropyLoss', hard_ratio=0.35, per_image=True
        ),
    )
)
