# SSD300 with VGG-16 on PASCAL VOC, by MMDetection's schedule. Its baseline mines already, three
# negatives to each positive.
baseline = 'ssd300_voc.py'
variants = [
    dict(hard_ratio=0.05),
    dict(hard_ratio=0.02),
    dict(hard_ratio=0.05, nms_iou_thr=0.7),
]
seeds = 5
last = 5
options = {'auto_scale_lr.enable': True}  # its rate is of a batch of 64
data = dict(VOC_ROOT='data/VOCdevkit')
images = (16551, 4952)
needs = {
    'PASCAL VOC (2.9 GB)': 'VOCtrainval_06-Nov-2007.tar and VOCtest_06-Nov-2007.tar of '
    'http://host.robots.ox.ac.uk/pascal/VOC/voc2007/, VOCtrainval_11-May-2012.tar of '
    'http://host.robots.ox.ac.uk/pascal/VOC/voc2012/; unpacked they make VOCdevkit',
    'VGG-16 of ImageNet (60 MB)': 'downloaded from download.openmmlab.com by MMEngine when a '
    'training begins',
}
