import pytest

from mmdet_lrm.study import names


@pytest.mark.parametrize(
    ('label', 'name'),
    [
        ('hard_ratio=0.05 nms_iou_thr=0.7', 'K 5 %, thinned at 0.7'),
        ('hard_ratio=0.25 scope=level', 'K 25 %, per level'),
        ('hard_ratio=0.25 scope=image', 'K 25 %, scope image'),
        ('hard_ratio=0.05, released', 'K 5 %, released'),
        ('yolov3-mobilenetv2_bccd, hard_ratio=0.25', 'yolov3-mobilenetv2_bccd, K 25 %'),
        ('optim_wrapper.optimizer.lr=0.004', 'lr 0.004'),
        ('yolov2-tiny_lrm-late_bccd', 'LRM, begun late'),
        ('yolov2-tiny_bccd', 'yolov2-tiny_bccd'),
        ('3 to 1', '3 to 1'),
    ],
)
def test_methods_have_names(label, name):
    assert names.method(label).replace(names.FIXED, ' ') == name


def test_metrics_have_names():
    assert names.metric('voc/mAP') == 'mAP'
    assert names.metric('test/voc/mAP') == f'test{names.FIXED}mAP'
    assert names.metric('kitti/Car_AP40') == f'Car{names.FIXED}AP40'
