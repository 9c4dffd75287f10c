_base_ = './loaders.py'

# PASCAL VOC, 2007 and 2012 trainval for training and 2007 test for evaluation. Set the folder that
# holds VOC2007 and VOC2012 here or, without an edit, by the environment variable VOC_ROOT.
data_root = '{{$VOC_ROOT:data/VOCdevkit}}'

# Difficult objects are ignored instances: no negatives, not mined, and not counted.
voc07 = dict(
    type='VOCDataset',
    data_root=data_root,
    ann_file='VOC2007/ImageSets/Main/trainval.txt',
    data_prefix=dict(sub_data_root='VOC2007/'),
)
voc12 = dict(
    type='VOCDataset',
    data_root=data_root,
    ann_file='VOC2012/ImageSets/Main/trainval.txt',
    data_prefix=dict(sub_data_root='VOC2012/'),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    # The year, which is all that the two differ by, is no obstacle to joining them.
    dataset=dict(type='ConcatDataset', ignore_keys=['dataset_type']),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    dataset={**voc07, 'ann_file': 'VOC2007/ImageSets/Main/test.txt', 'test_mode': True},
)
test_dataloader = val_dataloader
# The rule of VOC2007, 11 points, which papers on it report, and that of later years, the area.
val_evaluator = [
    dict(type='VOCMetric', metric='mAP', eval_mode='11points', prefix='voc07'),
    dict(type='VOCMetric', metric='mAP', eval_mode='area', prefix='voc12'),
]
test_evaluator = val_evaluator
