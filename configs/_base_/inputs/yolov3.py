_base_ = './ssd.py'

from mmdet_lrm.configs import resized

# As mmdet's YOLOv3 has it: SSD's with a smaller canvas and larger crops.
img_scale = (416, 416)
train_pipeline = [
    *_base_.load_pipeline,
    dict(type='Expand', mean=[0, 0, 0], to_rgb=True, ratio_range=(1, 2)),
    dict(type='MinIoURandomCrop', min_ious=(0.4, 0.5, 0.6, 0.7, 0.8, 0.9), min_crop_size=0.3),
    dict(type='Resize', scale=img_scale, keep_ratio=False),
    *_base_.colour_pipeline,
    _base_.pack,
]
test_pipeline = resized(_base_.test_pipeline, img_scale)
