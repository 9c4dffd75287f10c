_base_ = './yolov2-tiny_lrm_bccd.py'

# Every prior trains in the first two epochs, the hardest from then on.
custom_hooks = [dict(type='LRMScheduleHook', begin=2)]
