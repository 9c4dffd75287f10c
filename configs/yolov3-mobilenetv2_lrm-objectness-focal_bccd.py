_base_ = './yolov3-mobilenetv2_lrm-objectness_bccd.py'

# The same on a balanced focal loss, which the authors found to add to the mining.
model = dict(
    bbox_head=dict(
        loss_conf=dict(
            _delete_=True,
            type='LRMElementLoss',
            loss='FocalLoss',
            hard_ratio=0.35,
            per_image=True,
            use_sigmoid=True,
            gamma=1.5,
            alpha=0.25,
            reduction='sum',
        ),
    )
)
