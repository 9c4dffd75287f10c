# YOLOv3's head on the tiny network, from VOC's weights on KITTI's subset: over all levels together
# or each level for itself, and how few; 3,120 priors.
_base_ = './_base_/kitti_416x128.py'
baseline = 'yolov3-tiny-transfer_kitti.py'
variants = [dict(hard_ratio=0.25), dict(hard_ratio=0.25, scope='level'), dict(hard_ratio=0.05)]
seeds = 3
diagnose = 10
reduced = {
    # Those of the config, reduced as the images are.
    'model.bbox_head.anchor_generator.base_sizes': [
        [(32.2, 17.5), (50.2, 30.9), (89.1, 58.5)],
        [(11.0, 7.7), (9.5, 23.7), (18.5, 12.4)],
    ],
}
