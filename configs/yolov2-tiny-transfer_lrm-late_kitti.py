_base_ = './yolov2-tiny-transfer_lrm_kitti.py'

# Every prior trains in the first two epochs, the hardest from then on.
custom_hooks = [dict(type='LRMScheduleHook', begin=2)]
