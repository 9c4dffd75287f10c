_base_ = './yolov2_voc.py'

# The same detector, from a Darknet-19 that was trained on ImageNet, as darknet trains it. Make the
# checkpoint of pjreddie.com's darknet19_448.conv.23, and darknet's cfg/darknet19_448.cfg:
#   python tools/darknet.py import darknet19_448.cfg darknet19_448.conv.23 --backbone \
#       --out darknet19_448
# and set its path here or by the environment variable DARKNET19.
pretrained = '{{$DARKNET19:darknet19_448.pth}}'

model = dict(
    backbone=dict(
        init_cfg=dict(_delete_=True, type='Pretrained', checkpoint=pretrained, prefix='backbone.')
    ),
    bbox_head=dict(init_conf_prob=None),  # an objectness of 0.5, as darknet begins with
)
