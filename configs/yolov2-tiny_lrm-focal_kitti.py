_base_ = './yolov2-tiny_kitti.py'

# Mining and focal loss on the objectness, which arXiv 2202.13080 found to add up.
model = dict(
    bbox_head=dict(
        loss_conf=dict(
            _delete_=True,
            type='FocalLoss',
            use_sigmoid=True,
            gamma=2.0,
            alpha=0.25,
            loss_weight=4.0,
        ),
        object_scale=1.0,
        lrm=dict(type='LRMLoss', hard_ratio=0.25),
    )
)
