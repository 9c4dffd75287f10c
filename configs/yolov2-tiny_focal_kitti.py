_base_ = './yolov2-tiny_kitti.py'

# Focal loss (Lin et al., ICCV 2017) on the objectness; 4 * alpha leaves positives their weight.
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
    )
)
