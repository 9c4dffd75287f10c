# YOLOv3 with Darknet-53 on COCO 2017, by MMDetection's schedule.
baseline = 'yolov3_coco.py'
variants = [
    dict(hard_ratio=0.25, scope='level'),
    dict(hard_ratio=0.25),
    dict(hard_ratio=0.05, nms_iou_thr=0.7),
]
seeds = 3
last = 3
options = {'auto_scale_lr.enable': True}  # its rate is of a batch of 64
data = dict(COCO_ROOT='data/coco')
images = (118287, 5000)
needs = {
    'COCO 2017 (20 GB)': 'train2017.zip, val2017.zip and annotations_trainval2017.zip of '
    'https://cocodataset.org/#download, unpacked in data/coco',
    'Darknet-53 of ImageNet (150 MB)': 'downloaded from download.openmmlab.com by MMEngine when a '
    'training begins',
}
