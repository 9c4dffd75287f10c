_base_ = './yolov2.py'

# Darknet's yolov2-tiny-voc.cfg: nine convolutions in all, no passthrough.
model = dict(
    backbone=dict(_delete_=True, type='TinyYOLOV2'),
    neck=None,
    bbox_head=dict(
        anchor_generator=dict(
            type='YOLOAnchorGenerator',
            base_sizes=[
                [
                    (34.56, 38.08),
                    (109.44, 141.12),
                    (212.16, 364.16),
                    (301.44, 163.52),
                    (531.84, 336.64),
                ]
            ],
            strides=[32],
        ),
    ),
)
