# What both sets of the confirmation share: see confirmation.md.
_base_ = ['./yolov2-tiny_bccd_192x144.py', './parts.py']
variants = [
    dict(hard_ratio=0.05, nms_iou_thr=0.7),
    dict(hard_ratio=0.25),
    dict(name='3 to 1', **_base_._three_to_one),
    dict(name='focal loss', **_base_._focal),
]
seeds = 5
last = 3
options = {
    # The test list, which nothing was chosen by.
    'val_dataloader.dataset.ann_file': 'VOC2007/ImageSets/Main/test.txt',
    'val_evaluator': [
        dict(type='VOCMetric', metric='mAP', eval_mode='area', prefix='voc'),
        dict(type='VOCClassMetric', iou_thrs=[0.75], eval_mode='area', prefix='voc75'),
    ],
}
