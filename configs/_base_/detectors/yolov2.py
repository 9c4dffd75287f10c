# YOLOv2: Darknet-19 with passthrough. num_classes and the priors belong to the data.
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
        num_classes=20,
        in_channels=1024,
        max_gts=None,
        # Of about a thousand priors a few hold an object. Starting all of them at 0.5, as darknet
        # does, costs the first epochs and, without pre-trained weights, can silence the objectness
        # for good.
        init_conf_prob=0.01,
    ),
    test_cfg=dict(
        score_thr=0.005,
        nms=dict(type='nms', iou_threshold=0.45),
        max_per_img=100,
        clip_to_image=True,
    ),
)
