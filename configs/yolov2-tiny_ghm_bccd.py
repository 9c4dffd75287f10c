_base_ = './yolov2-tiny_bccd.py'

# The gradient harmonizing mechanism (Li et al., AAAI 2019) on the objectness.
model = dict(
    bbox_head=dict(
        loss_conf=dict(_delete_=True, type='GHMC', bins=10, momentum=0.75, use_sigmoid=True),
        object_scale=1.0,
    )
)
