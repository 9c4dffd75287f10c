# The paper's detector on PASCAL VOC, trained on 2007 and 2012 trainval, evaluated on 2007 test.
_base_ = './_base_/paper.py'
baseline = 'yolov2-imagenet_voc.py'
data = dict(VOC_ROOT='data/VOCdevkit', DARKNET19='data/darknet19_448.pth')
images = (16551, 4952)
needs = {
    'PASCAL VOC (2.9 GB)': 'VOCtrainval_06-Nov-2007.tar and VOCtest_06-Nov-2007.tar of '
    'http://host.robots.ox.ac.uk/pascal/VOC/voc2007/, VOCtrainval_11-May-2012.tar of '
    'http://host.robots.ox.ac.uk/pascal/VOC/voc2012/; unpacked they make VOCdevkit',
}
# The YOLO9000 paper's 160 epochs, with a tenth of the rate after 60 and 90, since a study counts
# epochs: half of darknet's iterations.
options = {
    'train_dataloader.sampler': dict(type='DefaultSampler', shuffle=True),
    'train_cfg': dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=160, val_interval=10),
    'param_scheduler': [
        dict(type='BurnInLR', end=1000, power=4),
        dict(type='MultiStepLR', by_epoch=True, milestones=[60, 90], gamma=0.1),
    ],
    'default_hooks.checkpoint': dict(by_epoch=True, interval=1),
    'log_processor.by_epoch': True,
}
