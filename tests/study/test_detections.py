"""Detections are read as data alone, and lie beside the truths that count."""

import pickle

import numpy as np
import pytest
import torch
from mmengine.config import Config

import mmdet_lrm
from mmdet_lrm.study.detections import (
    DetectionsError,
    iou_thresholds,
    last_checkpoint,
    of_run,
    read,
    with_truths,
)


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


def test_a_folder_without_detections_and_checkpoint_is_named(tmp_path):
    with pytest.raises(DetectionsError, match=r'neither detections.pkl of a finished run nor a ch'):
        of_run(Config(), tmp_path)


def test_a_dump_of_a_run_that_did_not_finish_is_not_taken(tmp_path):
    (tmp_path / 'detections.pkl').write_bytes(pickle.dumps([prediction('1')]))
    with pytest.raises(DetectionsError, match='neither'):
        of_run(Config(), tmp_path)
    (tmp_path / 'finished.json').write_text('{}')
    assert len(of_run(Config(), tmp_path)) == 1


def instance(box, ignore=0, **of_kitti):
    return dict(bbox=box, bbox_label=0, ignore_flag=ignore, **of_kitti)


def test_truths_that_are_ignored_are_regions():
    instances = [instance([0, 0, 9, 9]), instance([20, 0, 29, 9], ignore=1)]
    infos = {'1': dict(img_path='1.jpg', instances=instances)}
    (image,) = with_truths(infos, [prediction(1, (0, 0, 5, 5), (1, 1, 5, 5))])
    assert (image.boxes.tolist(), image.ignored.tolist()) == ([[0, 0, 9, 9]], [[20, 0, 29, 9]])
    assert (image.found.tolist(), image.path) == ([[0, 0, 5, 5], [1, 1, 5, 5]], '1.jpg')
    assert image.scores.tolist() == pytest.approx([1 / 2, 1 / 3])


def test_of_kittis_objects_count_those_that_its_hard_level_has():
    def car(x, height, occluded):
        box = [x, 0, x + 9, height]
        return instance(box, occluded=occluded, truncated=0.0, width=9, height=height)

    # Seen well; lower than 25 px; hardly to be seen.
    instances = [car(0, 30, 0), car(20, 25, 0), car(40, 30, 3)]
    infos = {'1': dict(img_path='1.png', instances=instances)}
    (image,) = with_truths(infos, [prediction('1', (0, 0, 9, 25), (0, 0, 9, 24))])
    assert image.boxes[:, 0].tolist() == [0]
    assert image.ignored[:, 0].tolist() == [20, 40]
    assert image.found[:, 3].tolist() == [25]


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
