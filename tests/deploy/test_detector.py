from itertools import chain

import pytest
import torch
from detectors import NAMES, shipped, spread
from mmengine.config import ConfigDict
from torch.testing import assert_close

from mmdet_lrm.deploy.detector import Detector, ExportError, above, keep_top
from mmdet_lrm.deploy.fast import PrecisionError, accelerate, has_bf16
from mmdet_lrm.launch.models import build_detector


def candidates(boxes, scores):
    """Of one image: boxes, scores and labels of all that is not dropped, from high to low."""
    priors, labels = scores.nonzero(as_tuple=True)
    scores, order = scores[priors, labels].sort(descending=True)
    return boxes[priors[order]], scores, labels[order]


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('lrm', ['', '_lrm'])
def test_boxes_and_scores_are_those_that_the_head_gives_to_its_nms(name, lrm):
    model = build_detector(shipped(f'{name}{lrm}_voc'))
    detector = Detector(model, (320, 256))
    metas = [dict(img_shape=(256, 320))] * 2
    with torch.no_grad():
        like = detector.maps(torch.zeros(2, 3, 256, 320))
        maps = tuple([torch.randn_like(level) for level in levels] for levels in like)
        boxes, scores = detector.boxes_and_scores(maps)
        expected = model.bbox_head.predict_by_feat(*maps, batch_img_metas=metas, with_nms=False)
    for index, wanted in enumerate(expected):
        found = candidates(boxes[index], scores[index])
        order = wanted.scores.sort(descending=True).indices
        assert 100 < len(wanted) == len(found[1])
        assert_close(found[1], wanted.scores[order])
        assert_close(found[0], wanted.bboxes[order])
        assert torch.equal(found[2], wanted.labels[order])


def test_keep_top_keeps_the_highest_of_each_image_over_all_classes():
    scores = torch.tensor([[[0.1, 0.4], [0.3, 0.2]], [[0.5, 0.0], [0.1, 0.6]]])
    kept = [[[0, 0.4], [0.3, 0]], [[0.5, 0], [0, 0.6]]]
    assert keep_top(scores, 2).tolist() == torch.tensor(kept).tolist()
    assert keep_top(scores, -1) is scores and keep_top(scores, 4) is scores


def test_a_score_at_the_threshold_is_dropped():
    assert above(torch.tensor([0.25, 0.5]), 0.25).tolist() == [0, 0.5]


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (dict(nms=dict(type='soft_nms', iou_threshold=0.5)), 'test_cfg.nms is .*soft_nms'),
        (dict(nms=dict(type='nms', iou_threshold=0.5, class_agnostic=True)), 'class_agnostic'),
        (dict(nms=None), 'test_cfg.nms is {}'),
        (dict(min_bbox_size=8), 'min_bbox_size is 8, in pixels of the picture, .* set it to 0'),
    ],
)
def test_a_test_cfg_that_no_graph_has_is_refused(change, said, tmp_path):
    model, _ = spread(shipped('yolov2-tiny_voc'), tmp_path)
    model.bbox_head.test_cfg = ConfigDict(dict(model.bbox_head.test_cfg, **change))
    with pytest.raises(ExportError, match=said):
        Detector(model, (64, 64))


def test_a_head_that_is_not_decoded_is_named():
    model = torch.nn.Module()
    model.bbox_head = torch.nn.Identity()
    with pytest.raises(ExportError, match=r'the head Identity; .* YOLOV2Head, YOLOV3Head'):
        Detector(model, (64, 64))


@pytest.mark.parametrize('name', NAMES)
def test_the_detectors_of_these_tests_answer_otherwise_in_every_cell(name, tmp_path):
    model, data = spread(shipped(f'{name}_voc'), tmp_path)
    with torch.no_grad():
        for level in chain(*model.bbox_head(model.extract_feat(data['inputs']))):
            cells = level.permute(0, 2, 3, 1).flatten(0, 2)
            assert 0.3 < cells.std(dim=0).mean() < 0.6
            assert len(cells.unique(dim=0)) == len(cells)


@pytest.mark.parametrize('name', NAMES)
def test_a_model_made_fast_finds_the_same(name, tmp_path):
    model, data = spread(shipped(f'{name}_voc'), tmp_path)
    size = tuple(data['inputs'].shape[:1:-1])
    with torch.no_grad():
        before = Detector(model, size)(data['inputs'])
        fast = accelerate(model)
        maps = fast.bbox_head(fast.extract_feat(data['inputs']))
        after = Detector(fast, size)(data['inputs'])
    assert not [each for each in fast.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    assert maps[0][0].is_contiguous(memory_format=torch.channels_last)
    assert_close(after[0], before[0], rtol=1e-3, atol=1e-2)
    both = (after[1] > 0) & (before[1] > 0)
    assert both.sum() > 0.999 * (before[1] > 0).sum()
    assert_close(after[1][both], before[1][both], rtol=0, atol=1e-4)


def test_bf16_is_refused_where_it_is_only_imitated(monkeypatch, tmp_path):
    model, _ = spread(shipped('yolov2-tiny_voc'), tmp_path)
    monkeypatch.setattr('mmdet_lrm.deploy.fast.has_bf16', lambda device: False)
    with pytest.raises(PrecisionError, match='bf16 was wished for, and cpu here does not'):
        accelerate(model, bf16=True)


def test_in_bf16_weights_are_halved_and_maps_leave_as_float32(monkeypatch, tmp_path):
    model, data = spread(shipped('yolov2-tiny_voc'), tmp_path)
    assert isinstance(has_bf16(torch.device('cpu')), bool)
    with torch.no_grad():
        (before,) = model.bbox_head(model.extract_feat(data['inputs']))[0]
        monkeypatch.setattr('mmdet_lrm.deploy.fast.has_bf16', lambda device: True)
        fast = accelerate(model, bf16=True)
        (after,) = fast.bbox_head(fast.extract_feat(data['inputs']))[0]
    assert fast.bbox_head.conv_pred.weight.dtype == torch.bfloat16
    assert after.dtype == torch.float32
    assert_close(after, before, rtol=0, atol=0.5)
