# A known effect: a tenth of the objects has no label in training, and trains as background. Is this
# found?
_base_ = './_base_/yolov2-tiny_bccd_128x96.py'
_loading = 'train_dataloader.dataset.pipeline.1'
variants = [
    {
        'name': 'a tenth of the labels dropped',
        f'{_loading}.type': 'LoadFewerAnnotations',
        f'{_loading}.drop_share': 0.1,
    },
]
seeds = 20
metric = 'voc/RBC_AP'  # of the class of nine objects in ten
