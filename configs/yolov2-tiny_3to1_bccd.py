_base_ = './yolov2-tiny_bccd.py'

# SSD's selection (Liu et al., ECCV 2016): all positives and three negatives for each of them.
model = dict(
    bbox_head=dict(lrm=dict(type='HardNegativeLoss', neg_pos_ratio=3, rank_by='loss_conf'))
)
