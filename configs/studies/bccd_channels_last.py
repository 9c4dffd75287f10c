# Do detectors train as well with their feature maps in another layout?
# See docs/performance.md.
_base_ = './_base_/yolov2-tiny_bccd_192x144.py'
variants = [dict(name='channels last', custom_hooks=[dict(type='ChannelsLastHook')])]
seeds = 3
