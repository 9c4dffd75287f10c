_base_ = './loaders.py'

# The 2D object part of KITTI, as tools/prepare_kitti.py lays it out. Set the folder here or,
# without an edit, by the environment variable KITTI_ROOT.
data_root = '{{$KITTI_ROOT:data/kitti}}'
classes = ('Car', 'Pedestrian', 'Cyclist')

dataset = dict(
    type='KittiDataset',
    data_root=data_root,
    metainfo=dict(classes=classes),
    data_prefix=dict(img='training/image_2', label='training/label_2'),
)
train_dataloader = dict(dataset=dict(ann_file='ImageSets/train.txt', **dataset))
val_dataloader = dict(dataset=dict(ann_file='ImageSets/val.txt', test_mode=True, **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(type='KittiMetric', label_dir=data_root + '/training/label_2')
test_evaluator = val_evaluator
