_base_ = './yolov2-tiny_kitti.py'

# The same detector, fine-tuned from a darknet network that was trained on VOC. Make the checkpoint:
#   python tools/darknet.py import tiny-yolov2-trial3.cfg tiny-yolov2-trial3.weights \
#       --out tiny-yolov2-trial3
# and set its path here or by the environment variable PRETRAINED.
pretrained = '{{$PRETRAINED:tiny-yolov2-trial3.pth}}'

# It has the first six of the seven convolutions. AdamW's step does not depend on the size of the
# gradient: the rate of the new layers would overwrite the old ones within an epoch.
model = dict(
    backbone=dict(
        init_cfg=[
            dict(type='Kaiming', layer='Conv2d', mode='fan_in'),
            dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.'),
        ]
    )
)
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'backbone': dict(lr_mult=0.1),
            'backbone.stages.6': dict(lr_mult=1.0),
        }
    )
)
