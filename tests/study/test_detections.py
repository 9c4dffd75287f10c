"""Detections are read as data alone, and lie beside the truths that count."""

import os
import pickle
import time

import numpy as np
import pytest
import torch
from mmengine.config import Config

import mmdet_lrm
from mmdet_lrm.kitti.metric import KittiMetric
from mmdet_lrm.study import detections
from mmdet_lrm.study.detections import (
    DetectionsError,
    iou_thresholds,
    last_checkpoint,
    of_run,
    read,
    with_truths,
)
from mmdet_lrm.study.errors import judge


def prediction(name, *boxes):
    """Detections of class 0 with falling scores, as MMDetection dumps them."""
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    found = dict(bboxes=boxes, labels=torch.zeros(len(boxes), dtype=torch.long))
    return dict(img_id=name, pred_instances=found | dict(scores=1 / (2 + torch.arange(len(boxes)))))


@pytest.mark.parametrize('protocol', [2, pickle.DEFAULT_PROTOCOL])
def test_what_mmdetection_dumps_is_read(tmp_path, protocol):
    file = tmp_path / 'detections.pkl'
    file.write_bytes(pickle.dumps([prediction('1', (0, 1, 2, 3))], protocol))
    (found,) = read(file)
    assert found['img_id'] == '1' and found['pred_instances']['bboxes'].tolist() == [[0, 1, 2, 3]]


class Malicious:
    def __reduce__(self):
        return pytest.fail, ('code in a pickle was run',)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (pickle.dumps([Malicious()]), r'holds no detections \(UnpicklingError: it names _pytest'),
        (pickle.dumps([dict(img_id=1)]), 'KeyError'),
        (b'', 'EOFError'),
    ],
    ids=['code', 'no boxes', 'empty'],
)
def test_a_file_of_something_else_is_refused_and_nothing_in_it_is_run(tmp_path, content, message):
    file = tmp_path / 'detections.pkl'
    file.write_bytes(content)
    with pytest.raises(DetectionsError, match=message):
        read(file)


def test_the_last_checkpoint_has_the_largest_number(tmp_path):
    assert last_checkpoint(tmp_path) is None
    for name in ('epoch_9', 'epoch_10', 'best_voc_mAP_epoch_99'):
        (tmp_path / f'{name}.pth').touch()
    assert last_checkpoint(tmp_path).name == 'epoch_10.pth'


def test_the_last_checkpoint_is_the_one_that_was_written_last(tmp_path):
    for number in (5, 160):  # a training of five epochs after one of 160
        (tmp_path / f'epoch_{number}.pth').touch()
    note = tmp_path / 'last_checkpoint'
    # The folder where it was written, before that was moved.
    for named in (tmp_path / 'epoch_5.pth', '/elsewhere/epoch_5.pth', 'epoch_5.pth\n'):
        note.write_text(str(named))
        assert last_checkpoint(tmp_path) == tmp_path / 'epoch_5.pth'
    for gone in ('', '/elsewhere/epoch_7.pth'):
        note.write_text(gone)
        assert last_checkpoint(tmp_path) == tmp_path / 'epoch_160.pth'


def test_a_folder_without_detections_and_checkpoint_is_named(tmp_path):
    with pytest.raises(DetectionsError, match=r'neither detections.pkl of a finished run nor a ch'):
        of_run(Config(), tmp_path)


def test_a_dump_of_a_run_that_did_not_finish_is_not_taken(tmp_path):
    (tmp_path / 'detections.pkl').write_bytes(pickle.dumps([prediction('1')]))
    with pytest.raises(DetectionsError, match='neither'):
        of_run(Config(), tmp_path)
    (tmp_path / 'finished.json').write_text('{}')
    assert len(of_run(Config(), tmp_path)) == 1


def test_detections_are_kept_until_their_checkpoint_is_written_anew(tmp_path, monkeypatch):
    made = iter('ab')
    monkeypatch.setattr(detections, 'detect', lambda config, file: [prediction(next(made))])
    (tmp_path / 'epoch_1.pth').touch()
    assert [of_run(Config(), tmp_path)[0]['img_id'] for _ in '12'] == ['a', 'a']
    later = time.time() + 60
    os.utime(tmp_path / 'epoch_1.pth', (later, later))
    assert of_run(Config(), tmp_path)[0]['img_id'] == 'b'


def instance(box, ignore=0, **of_kitti):
    return dict(bbox=box, bbox_label=0, ignore_flag=ignore, **of_kitti)


def test_truths_that_are_ignored_are_regions():
    instances = [instance([0, 0, 9, 9]), instance([20, 0, 29, 9], ignore=1)]
    infos = {'1': dict(img_path='1.jpg', instances=instances)}
    (image,) = with_truths(infos, [prediction(1, (0, 0, 5, 5), (1, 1, 5, 5))])
    assert (image.boxes.tolist(), image.ignored.tolist()) == ([[0, 0, 9, 9]], [[20, 0, 29, 9]])
    assert (image.found.tolist(), image.path) == ([[0, 0, 5, 5], [1, 1, 5, 5]], '1.jpg')
    assert image.scores.tolist() == pytest.approx([1 / 2, 1 / 3])


LABELS = """\
Car 0.0 0 -10 0 0 60 30 -1 -1 -1 -1000 -1000 -1000 -10
Car 0.0 0 -10 100 0 160 25 -1 -1 -1 -1000 -1000 -1000 -10
Car 0.0 2 -10 200 0 260 30 -1 -1 -1 -1000 -1000 -1000 -10
Car 0.4 0 -10 300 0 360 30 -1 -1 -1 -1000 -1000 -1000 -10
Bus 0.0 1 -10 0 100 60 106 -1 -1 -1 -1000 -1000 -1000 -10
Bus 0.0 1 -10 100 100 160 105 -1 -1 -1 -1000 -1000 -1000 -10
Truck 0.0 0 -10 200 100 260 130 -1 -1 -1 -1000 -1000 -1000 -10
Van 0.0 0 -10 300 100 360 130 -1 -1 -1 -1000 -1000 -1000 -10
Tram 0.0 0 -10 400 100 460 130 -1 -1 -1 -1000 -1000 -1000 -10
DontCare -1 -1 -10 500 100 560 130 -1 -1 -1 -1000 -1000 -1000 -10
"""


@pytest.fixture
def metric(tmp_path):
    """Of cars, and of buses that may be low."""
    (tmp_path / '1.txt').write_text(LABELS)
    limits = dict(Bus=dict(neighbour='Truck', min_heights=(40, 5, 5)))
    found = KittiMetric(label_dir=str(tmp_path), limits=limits)
    found.dataset_meta = dict(classes=('Car', 'Bus'))
    return found


def test_of_kittis_objects_count_those_that_its_metric_has_at_the_moderate_level(metric):
    heights = [(0, 25.0), (0, 24.9), (1, 5.0), (1, 4.9)]
    found = dict(
        bboxes=np.array([(0, 0, 60, height) for _, height in heights]),
        labels=np.array([label for label, _ in heights]),
        scores=np.full(4, 0.5),
    )
    # What the data set ignores is no matter.
    infos = {'1': dict(img_path='1.png', instances=[instance([0, 0, 9, 9])])}
    (image,) = with_truths(infos, [dict(img_id='1', pred_instances=found)], metric)
    # Not the cars of 25 px, largely occluded and cut off by 0.4, nor the bus of 5 px.
    assert image.boxes.tolist() == [[0, 0, 60, 30], [0, 100, 60, 106]]
    assert image.labels.tolist() == [0, 1]
    # Those, the neighbours and DontCare; a tram is background.
    corners = [[100, 0], [200, 0], [300, 0], [100, 100], [200, 100], [300, 100], [500, 100]]
    assert image.ignored[:, :2].tolist() == corners
    assert image.found[:, 3].tolist() == [25, 5] and image.classes.tolist() == [0, 1]


def test_errors_are_counted_on_the_truths_of_the_metric(metric):
    boxes = [(0, 0, 60, 30), (0, 100, 60, 106), (400, 100, 460, 130), (200, 100, 260, 130)]
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    given = [('1', np.array([0, 1, 1, 1]), np.array(boxes, float), scores)]
    by_class = metric.evaluated(given)
    predictions = [
        dict(img_id=name, pred_instances=dict(labels=labels, bboxes=boxes, scores=scores))
        for name, labels, boxes, scores in given
    ]
    infos = {'1': dict(img_path='1.png', instances=[])}
    judged = judge(with_truths(infos, predictions, metric), [0.7, 0.5])
    assert judged.kinds.tolist() == ['found', 'found', 'background', 'ignored']
    moderate = {name: levels['moderate']['num_truths'] for name, levels in by_class.items()}
    assert moderate == dict(Car=1, Bus=1)
    assert np.bincount(judged.truths).tolist() == [1, 1]


def test_frames_in_any_order_have_their_own_truths(metric, tmp_path):
    (tmp_path / '0.txt').write_text('')
    (tmp_path / '2.txt').write_text(LABELS.splitlines(True)[4])
    infos = {name: dict(img_path=name, instances=[]) for name in '012'}
    images = with_truths(infos, [prediction(name) for name in '210'], metric)
    assert [len(image.boxes) for image in images] == [1, 2, 0]
    assert [len(image.ignored) for image in images] == [0, 7, 0]
    assert with_truths(infos, [], metric) == []


def test_an_image_without_truths_and_detections_has_empty_arrays():
    (image,) = with_truths({'1': dict(img_path='', instances=[])}, [prediction('1')])
    assert [np.shape(each) for each in image[1:]] == [(0, 4), (0,), (0, 4), (0, 4), (0,), (0,)]


def test_detections_of_another_data_set_are_refused():
    with pytest.raises(
        DetectionsError, match="detections of '2', an image that is not in the data"
    ):
        with_truths({'1': dict(img_path='', instances=[])}, [prediction('2')])


def test_the_iou_is_that_of_the_evaluator(tmp_path):
    config = Config.fromfile(mmdet_lrm.config('yolov2-tiny_kitti.py'))
    config.val_evaluator.label_dir = str(tmp_path)
    config.val_evaluator.limits = dict(Bus=dict(iou_thr=0.6))
    assert iou_thresholds(config, ('Cyclist', 'Car', 'Bus')) == [0.5, 0.7, 0.6]
    config = Config.fromfile(mmdet_lrm.config('yolov2-tiny_bccd.py'))
    assert iou_thresholds(config, ('RBC', 'WBC')) == [0.5, 0.5]
    for given in (0.75, [0.75, 0.5]):
        config.val_evaluator.iou_thrs = given
        assert iou_thresholds(config, ('RBC', 'WBC')) == [0.75, 0.75]
    # The first that has boxes and IoUs decides.
    dump, other = dict(type='DumpDetResults'), dict(type='VOCMetric', iou_thrs=0.9)
    config.val_evaluator = [dump, dict(config.val_evaluator, type='VOCClassMetric'), other]
    assert iou_thresholds(config, ('RBC',)) == [0.75]
    config.val_evaluator = [dict(type='CocoMetric'), other]
    assert iou_thresholds(config, ('RBC',)) == [0.5]
