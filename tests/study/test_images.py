"""Evaluation of selected images against the metrics that it stands for."""

import json

import numpy as np
import pytest
import torch
from mmdet.evaluation.metrics import CocoMetric, VOCMetric
from mmengine.structures import InstanceData

from mmdet_lrm.kitti.labels import read_objects
from mmdet_lrm.study.images import CocoImages, KittiImages, VOCImages, bootstrap
from mmdet_lrm.voc_metric import VOCClassMetric

CLASSES = ('a', 'b')


def random_images(number, rng):
    """Detections and truths that overlap in part, some truths ignored."""
    predictions, truths = [], []
    for index in range(number):
        corner = rng.uniform(0, 150, (6, 2))
        own = np.concatenate([corner, corner + rng.uniform(10, 60, (6, 2))], axis=1)
        near = own[:4] + rng.normal(0, 4, (4, 4))
        far = own[4:] + 300
        found = dict(
            bboxes=np.concatenate([near, far]).astype(np.float32),
            scores=rng.uniform(0, 1, 6).astype(np.float32),
            labels=rng.integers(0, 2, 6),
        )
        predictions.append(dict(img_id=index, pred_instances=found))
        labels = np.concatenate([found['labels'][:4], rng.integers(0, 2, 2)])
        truths.append(
            dict(
                bboxes=own[:5].astype(np.float32),
                labels=labels[:5],
                bboxes_ignore=own[5:].astype(np.float32),
                labels_ignore=labels[5:],
            )
        )
    return predictions, truths


@pytest.mark.parametrize('eval_mode', ['area', '11points'])
def test_all_images_give_what_mmdets_voc_metric_gives(eval_mode):
    predictions, truths = random_images(12, np.random.default_rng(0))
    metrics = [kind(metric='mAP', eval_mode=eval_mode) for kind in (VOCMetric, VOCClassMetric)]
    for metric in metrics:
        metric.dataset_meta = dict(classes=CLASSES)
    for found, truth in zip(predictions, truths, strict=True):
        sample = dict(
            pred_instances={k: torch.from_numpy(v) for k, v in found['pred_instances'].items()},
            gt_instances=InstanceData(
                bboxes=torch.from_numpy(truth['bboxes']), labels=torch.from_numpy(truth['labels'])
            ),
            ignored_instances=InstanceData(
                bboxes=torch.from_numpy(truth['bboxes_ignore']),
                labels=torch.from_numpy(truth['labels_ignore']),
            ),
        )
        for metric in metrics:
            metric.process({}, [sample])
    expected = metrics[0].evaluate(12)['pascal_voc/mAP']
    evaluated = VOCImages(predictions, truths, CLASSES, eval_mode=eval_mode)
    values = evaluated.evaluate(np.arange(12))
    assert 0.2 < expected < 0.9
    assert values == pytest.approx(metrics[1].evaluate(12), abs=1e-6)
    assert values['voc/mAP'] == pytest.approx(expected, abs=1e-6)
    assert values['voc/mAP'] == pytest.approx((values['voc/a_AP'] + values['voc/b_AP']) / 2)


def test_a_selection_counts_its_images_only():
    box = np.array([[10, 10, 50, 50]], dtype=np.float32)
    nothing = dict(bboxes_ignore=np.zeros((0, 4)), labels_ignore=np.zeros(0, int))
    truths = [dict(bboxes=box, labels=np.array([0]), **nothing) for _ in range(3)]
    boxes = [box, box + 200, np.zeros((0, 4), np.float32)]
    predictions = [
        dict(pred_instances=dict(bboxes=each, scores=np.ones(len(each)), labels=[0] * len(each)))
        for each in boxes
    ]
    evaluated = VOCImages(predictions, truths, ('a',))
    for chosen, expected in (([0], 1.0), ([1], 0.0), ([0, 0, 0], 1.0), ([0, 2], 0.5), ([2], 0.0)):
        assert evaluated.evaluate(np.array(chosen))['voc/mAP'] == pytest.approx(expected)
    curve = evaluated.curves()['a']
    assert len(curve) == 101 and curve[40] == 0.0


def test_kittis_values_are_those_of_the_golden_detections(shared_dir):
    folder = shared_dir / 'golden/kitti_eval'
    expected = json.loads((folder / 'expected.json').read_text())
    labels = shared_dir / 'data/kitti_subset/training/label_2'
    frames = sorted(path.stem for path in (folder / 'detections').glob('*.txt'))
    classes = ('Car', 'Pedestrian', 'Cyclist')
    predictions = []
    for frame in frames:
        found = read_objects([folder / f'detections/{frame}.txt'], scored=True)
        found = found[np.isin(found.types, classes)]
        labelled = np.array([classes.index(kind) for kind in found.types], dtype=int)
        instances = dict(bboxes=found.bbox, scores=found.score, labels=labelled)
        predictions.append(dict(img_id=frame, pred_instances=instances))
    evaluated = KittiImages(predictions, classes, str(labels))
    values = evaluated.evaluate(np.arange(len(frames)))
    for name in classes:
        for level in ('easy', 'moderate', 'hard'):
            wanted = expected[name][level]['AP40']
            assert values[f'kitti/{name}_{level}_AP40'] == pytest.approx(wanted, abs=1e-3)
    assert evaluated.names[0] == 'kitti/moderate_AP40' and set(values) == set(evaluated.names)
    one = evaluated.evaluate(np.array([7, 7, 7]))
    assert one != values and set(one) == set(values)
    # The order of the images is that of equal scores, and of nothing else.
    backwards = evaluated.evaluate(np.arange(len(frames))[::-1])
    assert backwards == pytest.approx(values, abs=0.5)
    assert [len(curve) for curve in evaluated.curves().values()] == [41] * 3


def test_all_images_give_what_mmdets_coco_metric_gives(tmp_path):
    predictions, truths = random_images(8, np.random.default_rng(1))
    annotations = [
        dict(
            id=index * 10 + inner + 1,
            image_id=index,
            category_id=int(label) + 1,
            bbox=[float(x1), float(y1), float(x2 - x1), float(y2 - y1)],
            area=float((x2 - x1) * (y2 - y1)),
            iscrowd=0,
        )
        for index, truth in enumerate(truths)
        for inner, ((x1, y1, x2, y2), label) in enumerate(
            zip(truth['bboxes'], truth['labels'], strict=True)
        )
    ]
    file = tmp_path / 'truth.json'
    sizes = [dict(id=index, width=600, height=600, file_name='') for index in range(8)]
    categories = [dict(id=index + 1, name=name) for index, name in enumerate(CLASSES)]
    file.write_text(json.dumps(dict(images=sizes, annotations=annotations, categories=categories)))
    metric = CocoMetric(ann_file=str(file), metric='bbox')
    metric.dataset_meta = dict(classes=CLASSES)
    for each in predictions:
        tensors = {k: torch.as_tensor(v) for k, v in each['pred_instances'].items()}
        metric.process(
            {}, [dict(img_id=each['img_id'], ori_shape=(600, 600), pred_instances=tensors)]
        )
    expected = metric.evaluate(8)
    evaluated = CocoImages(predictions, str(file), [1, 2])
    values = evaluated.evaluate(np.arange(8))
    assert expected['coco/bbox_mAP'] > 0.1
    for name in evaluated.names:
        assert values[name] == pytest.approx(expected[name], abs=1e-3)
    assert evaluated.evaluate(np.array([3, 3]))['coco/bbox_mAP'] != values['coco/bbox_mAP']
    assert len(evaluated.curves()['all']) == 101


def test_drawings_are_the_same_for_two_runs_and_spread_around_the_value():
    first, second = (
        VOCImages(*random_images(30, np.random.default_rng(seed)), CLASSES) for seed in (0, 1)
    )
    drawn = bootstrap(first, 40)
    assert drawn == bootstrap(first, 40) and drawn != bootstrap(second, 40)
    assert len(drawn['voc/mAP']) == 40 and 0 < np.std(drawn['voc/mAP']) < 0.2
    value = first.evaluate(np.arange(30))['voc/mAP']
    assert np.mean(drawn['voc/mAP']) == pytest.approx(value, abs=0.05)
