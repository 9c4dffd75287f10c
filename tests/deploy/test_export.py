import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import run_onnx
import torch
from detectors import NAMES, random_pictures, shipped, spread
from mmdet.models import DetDataPreprocessor
from mmengine.config import Config
from models_of_onnx import FACTS, canned

from mmdet_lrm.deploy import exporting
from mmdet_lrm.deploy.detector import Detector, ExportError
from mmdet_lrm.deploy.exporting import (
    apart,
    export,
    limits,
    save_checked,
    to_onnx,
    unlike,
    with_survivors,
)
from mmdet_lrm.deploy.preprocessing import preprocessing

PROGRAM = Path(__file__).parents[2] / 'tools' / 'export_onnx.py'


class Told(torch.nn.Module):
    """Stands for a detector that answers as the file of :func:`canned` was told."""

    size = FACTS['width'], FACTS['height']

    def __init__(self, boxes=np.zeros((1, 2, 4)), scores=np.full((1, 2, 2), 0.5)):  # noqa: B008
        super().__init__()
        self.told = torch.tensor(boxes).float(), torch.tensor(scores).float()

    def forward(self, images):
        return self.told


def kept_as(path, model):
    images = torch.zeros(1, 3, FACTS['height'], FACTS['width'])
    return save_checked(model, path, model, Told(), images)


def test_a_file_that_answers_as_pytorch_is_kept(tmp_path):
    model = canned(np.full((1, 2, 4), 0.0032), np.full((1, 2, 2), 0.50001))
    # A box may be off by 1e-4 of the 64 px, a score by 1e-4.
    difference = kept_as(tmp_path / 'model.onnx', model)
    assert difference == pytest.approx(0.0032 / 64)
    assert [path.name for path in tmp_path.iterdir()] == ['model.onnx']


@pytest.mark.parametrize(('box', 'score'), [(0.01, 0.5), (0, 0.5002), (0, 0), (np.nan, 0.5)])
def test_of_a_file_that_answers_otherwise_nothing_stays(tmp_path, box, score):
    (tmp_path / 'model.onnx').write_text('the one before')
    model = canned(np.full((1, 2, 4), box), np.full((1, 2, 2), score))
    with pytest.raises(ExportError, match=r'differ by .* it was not kept'):
        kept_as(tmp_path / 'model.onnx', model)
    assert [path.read_text() for path in tmp_path.iterdir()] == ['the one before']


@pytest.mark.parametrize('wrong', [dict(iou_thr=0.9), dict(max_per_img=1)])
def test_a_file_whose_nms_keeps_other_boxes_than_pytorchs_is_not_kept(tmp_path, wrong):
    boxes, scores = np.zeros((1, 3, 4)), np.zeros((1, 3, 2))
    boxes[0, :, 2:] = [[10, 10], [10, 7], [10, 2]]
    scores[0, :, 0] = 0.9, 0.8, 0.7
    right = dict(iou_thr=0.5, max_per_img=3)
    detector, decoding = Told(boxes, scores), canned(boxes, scores)
    detector.model = torch.nn.Module()
    detector.model.bbox_head = torch.nn.Module()
    detector.model.bbox_head.test_cfg = dict(nms=dict(iou_threshold=0.5), max_per_img=3)
    images = torch.zeros(1, 3, FACTS['height'], FACTS['width'])
    path = tmp_path / 'model.onnx'
    assert save_checked(with_survivors(decoding, **right), path, decoding, detector, images) == 0
    path.unlink()
    with pytest.raises(ExportError, match='differ by inf'):
        save_checked(with_survivors(decoding, **right | wrong), path, decoding, detector, images)
    assert not list(tmp_path.iterdir())


def test_of_a_graph_that_onnx_refuses_nothing_stays(tmp_path):
    model = canned(np.zeros((1, 2, 4)), np.zeros((1, 2, 2)))
    model.graph.node[0].op_type = 'NoSuchOperator'
    with pytest.raises(onnx.checker.ValidationError):
        kept_as(tmp_path / 'model.onnx', model)
    assert not list(tmp_path.iterdir())


def test_scores_are_apart_by_the_largest_difference_and_by_what_else_is_dropped():
    expected = np.full((1, 40, 100), 0.5)
    found = expected + 0.25
    assert apart(found, expected) == 0.25
    found[0, 0, :4] = 0  # 4 in 4000
    assert apart(found, expected) == 0.25
    found[0, 0, 4] = 0
    assert apart(found, expected) == np.inf


def test_detections_are_unlike_by_the_largest_difference_and_by_any_more_or_of_another_class():
    boxes, labels = np.array([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]]), np.arange(3)
    both = expected = (boxes, np.array([0.9, 0.5, 0.2]), labels)
    assert unlike(both, expected, 100) == 0
    assert unlike((boxes + 1, *both[1:]), expected, 100) == pytest.approx(0.01)
    assert unlike((boxes, both[1] - 0.05, labels), expected, 100) == pytest.approx(0.05)
    assert unlike((boxes, both[1], labels[::-1]), expected, 100) == np.inf
    assert unlike([part[:2] for part in both], expected, 100) == np.inf
    none_at_the_end = (boxes, np.array([0.9, 0.5, 0]), labels)
    assert unlike(none_at_the_end, [part[:2] for part in expected], 100) == 0


def test_another_opset_a_missing_module_and_a_file_in_the_way_are_said(monkeypatch, tmp_path):
    cfg, out = shipped('yolov2-tiny_voc'), tmp_path / 'model.onnx'
    with pytest.raises(ExportError, match='--opset is 7; it must be 18 to 21'):
        export(cfg, tmp_path / 'none.pth', out, opset=7)
    with pytest.raises(ExportError, match=r"there is no folder '.*absent'"):
        export(cfg, tmp_path / 'none.pth', tmp_path / 'absent' / 'model.onnx')
    out.touch()
    with pytest.raises(ExportError, match='exists; give another name, or --force'):
        export(cfg, tmp_path / 'none.pth', out)
    monkeypatch.setattr(exporting, 'find_spec', lambda name: None)
    with pytest.raises(ExportError, match=r"module onnx is missing; pip install 'mmdet_lrm\[dep"):
        export(cfg, tmp_path / 'none.pth', out)


@pytest.mark.parametrize(
    ('step', 'said'),
    [
        (dict(type='Resize', scale=(64, 64), keep_ratio=True), 'must have one Resize'),
        (dict(type='Normalize'), 'has the step Normalize'),
        (dict(type='LoadImageFromFile', color_type='grayscale'), 'loads grayscale pictures'),
    ],
)
def test_what_a_file_cannot_tell_of_the_pipeline_is_refused(step, said):
    steps = [dict(type='Resize', scale=(64, 64), keep_ratio=False), step]
    cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=steps))))
    with pytest.raises(ExportError, match=said):
        preprocessing(cfg, None)


def test_boxes_cut_at_a_letterboxed_picture_are_refused():
    pipeline = [dict(type='DarknetLetterbox', scale=(64, 64))]
    loader = dict(dataset=dict(pipeline=pipeline))
    cfg = Config(dict(test_dataloader=loader, model=dict(test_cfg=dict(clip_to_image=True))))
    with pytest.raises(ExportError, match=r'clip_to_image cuts .*; set it to False'):
        preprocessing(cfg, DetDataPreprocessor())
    cfg.model.test_cfg.clip_to_image = False
    assert preprocessing(cfg, DetDataPreprocessor()).resize == 'letterbox'


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_of_the_same_weights_baseline_and_lrm_give_one_file_that_agrees_with_pytorch(
    name, tmp_path
):
    files = []
    for lrm in ('', '_lrm'):
        torch.manual_seed(0)
        np.random.seed(0)
        model, data = spread(shipped(f'{name}{lrm}_voc'), tmp_path)
        detector = Detector(model, tuple(data['inputs'].shape[:1:-1]))
        files.append(to_onnx(detector, 18))
    assert files[0].SerializeToString() == files[1].SerializeToString()
    assert b'site-packages' not in files[0].SerializeToString()  # no path of a source
    for each in (files[0], with_survivors(files[0], **limits(model))):
        out = tmp_path / f'{len(each.graph.output)}.onnx'
        assert save_checked(each, out, files[0], detector, data['inputs']) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize('nms', [False, True])
def test_an_exported_file_finds_in_a_picture_what_the_test_finds(tmp_path, nms):
    config, checkpoint = tmp_path / 'config.py', tmp_path / 'model.pth'
    cfg = shipped('yolov2-tiny_voc')
    cfg.dump(config)
    model, _ = spread(cfg, tmp_path)
    # A checkpoint holds weights alone.
    model.bbox_head._forward_hooks.clear()
    torch.save(model.state_dict(), checkpoint)
    pictures, out = random_pictures(tmp_path), tmp_path / 'model.onnx'
    command = [sys.executable, PROGRAM, config, checkpoint, '--out', out, '--images', *pictures]
    ended = subprocess.run(
        [*map(str, command), *['--nms'] * nms], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    exported = run_onnx.Model(out)
    assert json.dumps(exported.facts['classes'][:2]) == '["aeroplane", "bicycle"]'
    picture = run_onnx.cv2.imread(str(pictures[0]))
    boxes, scores, labels = exported(picture)
    data = exporting.prepare(model, exporting.loading(cfg), pictures[:1])
    with torch.no_grad():
        (sample,) = model.predict(data['inputs'], data['data_samples'], rescale=True)
    wanted = sample.pred_instances
    assert len(scores) == len(wanted) > 10
    np.testing.assert_allclose(scores, wanted.scores, atol=1e-4)
    np.testing.assert_allclose(boxes, wanted.bboxes, atol=1e-2)
    assert labels.tolist() == wanted.labels.tolist()
