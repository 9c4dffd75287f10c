_base_ = './stretched.py'

# Darknet's own steps, whose numbers are of yolov2-voc.cfg, by the keys in brackets.
train_pipeline = [
    *_base_.load_pipeline,
    dict(type='DarknetJitter', scale=_base_.img_scale, jitter=0.3),  # [jitter]
    dict(type='DarknetHSV', hue=0.1, saturation=1.5, exposure=1.5),  # [hue, saturation, exposure]
    dict(type='RandomFlip', prob=0.5),  # data.c
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'flip')),
]
