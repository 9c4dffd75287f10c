_base_ = [
    './_base_/datasets/kitti.py',
    './_base_/schedules/sgd.py',
    './_base_/default_runtime.py',
]

model = dict(
    type='SingleStageDetector',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[0, 0, 0],
        std=[255.0, 255.0, 255.0],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone=dict(type='Darknet19'),
    neck=dict(type='PassthroughNeck'),
    bbox_head=dict(
        type='YOLOV2Head',
        num_classes=3,
        in_channels=1024,
        # k-means with 1 - IoU on the boxes of the usual train split, at 1248 x 384; mean IoU 0.67.
        # With yolov2-voc.cfg's five priors none is tall, as pedestrians are.
        anchor_generator=dict(
            type='YOLOAnchorGenerator',
            base_sizes=[
                [
                    (29.4, 23.4),
                    (54.2, 35.4),
                    (29.4, 72.6),
                    (95.7, 53.2),
                    (141.2, 102.6),
                    (274.6, 175.8),
                ]
            ],
            strides=[32],
        ),
        max_gts=None,
        # Of 2,808 priors about 6 hold an object. Starting all of them at 0.5, as darknet does,
        # costs the first epochs and, without pre-trained weights, can silence the objectness for
        # good.
        init_conf_prob=0.01,
    ),
    test_cfg=dict(
        score_thr=0.005,
        nms=dict(type='nms', iou_threshold=0.45),
        max_per_img=100,
        clip_to_image=True,
    ),
)
