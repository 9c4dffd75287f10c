_base_ = './loaders.py'

# COCO 2017. Set the folder that holds annotations, train2017 and val2017 here or, without an edit,
# by the environment variable COCO_ROOT.
data_root = '{{$COCO_ROOT:data/coco}}'

dataset = dict(type='CocoDataset', data_root=data_root)
# Crowds are ignored instances: no negatives, and not mined.
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    dataset=dict(
        **dataset,
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(img='train2017/'),
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    dataset=dict(
        **dataset,
        ann_file='annotations/instances_val2017.json',
        data_prefix=dict(img='val2017/'),
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='CocoMetric',
    ann_file=data_root + '/annotations/instances_val2017.json',
    metric='bbox',
)
test_evaluator = val_evaluator
