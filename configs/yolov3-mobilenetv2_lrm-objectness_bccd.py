_base_ = './yolov3-mobilenetv2_bccd.py'

# The objectness alone is mined, as yolov3_lrm-objectness_kitti.py says.
model = dict(
    bbox_head=dict(
        ignore_iof_thr=None,
        loss_conf=dict(
            type='LRMElementLoss', loss='CrossEntropyLoss', hard_ratio=0.35, per_image=True
        ),
    )
)
