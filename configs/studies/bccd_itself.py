# A/A: a baseline against itself with other seeds, so that every difference is chance. How wide is
# it, and do intervals of 95 % hold 0 in 95 of 100 cases?
_base_ = './_base_/yolov2-tiny_bccd_128x96.py'
variants = [dict(name='itself', seed_offset=1000)]
seeds = 20
