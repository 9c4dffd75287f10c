_base_ = './loaders.py'

# The Blood Cell Count and Detection photographs, in VOC's layout. Set the folder that holds VOC2007
# here or, without an edit, by the environment variable BCCD_ROOT.
data_root = '{{$BCCD_ROOT:data/BCCD}}'
classes = ('RBC', 'WBC', 'Platelets')

dataset = dict(
    type='XMLDataset',
    data_root=data_root,
    metainfo=dict(classes=classes),
    data_prefix=dict(sub_data_root='VOC2007/'),
)
# A box without area, of which the labels hold one, is ignored.
train_dataloader = dict(
    dataset=dict(
        ann_file='VOC2007/ImageSets/Main/train.txt', filter_cfg=dict(bbox_min_size=1), **dataset
    ),
)
val_dataloader = dict(
    dataset=dict(ann_file='VOC2007/ImageSets/Main/val.txt', test_mode=True, **dataset),
)
test_dataloader = dict(
    _delete_=True,
    batch_size=8,
    num_workers=2,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file='VOC2007/ImageSets/Main/test.txt', test_mode=True, **dataset),
)
val_evaluator = dict(type='VOCMetric', metric='mAP', eval_mode='area', prefix='voc')
test_evaluator = val_evaluator
