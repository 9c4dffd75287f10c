"""What pictures call methods and metrics, whose labels and names are keys of a config and a log."""

import re

FIXED = '\u00a0'  # a blank at which no line is broken
EVALUATORS = ('coco', 'kitti', 'voc')
OPTIONS = {
    'element=cell': 'by cell',
    'keep_positives=True': 'positives kept',
    'normalizer=hard': 'divided by the kept',
    'rank_by=loss_conf': 'ranked by objectness',
    'scope=batch': 'over the batch',
    'scope=level': 'per level',
}
FILES = {
    '3to1': '3 to 1',
    'focal': 'focal loss',
    'ghm': 'GHM',
    'lrm': 'LRM',
    'lrm-focal': 'focal loss and LRM',
    'lrm-late': 'LRM, begun late',
    'ohem': 'OHEM',
}


def method(label: str) -> str:
    """``hard_ratio=0.05 nms_iou_thr=0.7`` is 'K 5 %, thinned at 0.7', ``yolov2-tiny_ghm_bccd``
    'GHM'; a name of its own is kept."""
    file = re.fullmatch(r'[^_ ]+_([^_ ]+)_[^_ ]+', label)
    if file and file[1] in FILES:
        return FILES[file[1]]
    return re.sub(r'([\w.]+)=(\S+?)(?=,?(?: |$))( (?=[\w.]+=))?', _option, label)


def _option(found: re.Match) -> str:
    key, value, more = found.groups()
    if key == 'hard_ratio' and value.replace('.', '', 1).isdecimal():
        text = f'K {100 * float(value):g} %'
    elif key == 'nms_iou_thr':
        text = f'thinned at {value}'
    else:
        text = OPTIONS.get(f'{key}={value}', f'{key.split(".")[-1]} {value}')
    return text.replace(' ', FIXED) + (', ' if more else '')


def metric(name: str) -> str:
    """``kitti/Car_moderate_AP40`` is 'Car moderate AP40', ``test/voc/mAP`` 'test mAP'."""
    words = [part for part in name.split('/') if part not in EVALUATORS]
    return FIXED.join(words).replace('_', FIXED)
