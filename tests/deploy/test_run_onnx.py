import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import run_onnx
from mmcv.transforms import Compose
from mmdet.registry import TRANSFORMS
from models_of_onnx import FACTS, canned, run, saved

from mmdet_lrm.deploy.survivors import with_survivors

PROGRAM = Path(run_onnx.__file__)
# What a device lacks; the program runs as there.
WITHOUT_TORCH = """
import runpy, sys
for name in ('torch', 'mmdet', 'mmcv', 'mmengine', 'mmdet_lrm', 'onnx', 'scipy', 'PIL'):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def call(*args: object) -> subprocess.CompletedProcess:
    command = [sys.executable, '-c', WITHOUT_TORCH, str(PROGRAM), *map(str, args)]
    env = {**os.environ, 'PYTHONPATH': ''}
    return subprocess.run(command, capture_output=True, text=True, env=env)


@pytest.fixture
def picture(tmp_path) -> Path:
    path = tmp_path / 'picture.png'
    cv2.imwrite(str(path), np.random.randint(0, 255, (64, 256, 3), np.uint8))
    return path


def test_without_torch_boxes_come_in_pixels_of_the_picture_and_are_drawn(tmp_path, picture):
    # The picture is 4 and 2 times as wide and high as the input.
    boxes = np.array([[[10, 4, 20, 16], [10, 4, 20, 15], [40, 8, 60, 24]]])
    scores = np.array([[[0.9, 0.0], [0.8, 0.0], [0.0, 0.2]]])
    model = saved(canned(boxes, scores), tmp_path / 'model.onnx')
    ended = call(model, picture, '--out', tmp_path / 'out', '--score-thr', 0.1)
    assert ended.returncode == 0, ended.stderr
    (found,) = json.loads((tmp_path / 'out' / 'detections.json').read_text()).values()
    assert [(each['class'], each['label'], each['bbox']) for each in found] == [
        ('cat', 0, [40, 8, 80, 32]),
        ('dog', 1, [160, 16, 240, 48]),
    ]
    np.testing.assert_allclose([each['score'] for each in found], [0.9, 0.2], rtol=1e-6)
    before, after = cv2.imread(str(picture)), cv2.imread(str(tmp_path / 'out' / 'picture.png'))
    changed = (before != after).any(axis=2)
    assert changed[48, 165:240].all() and not changed[52:].any()


@pytest.mark.parametrize('resize', ['stretch', 'letterbox'])
@pytest.mark.parametrize('shape', [(50, 200), (90, 60), (32, 64)])
def test_pictures_are_prepared_as_by_the_pipeline(tmp_path, resize, shape):
    model = run_onnx.Model(saved(canned(np.zeros((1, 1, 4)), np.zeros((1, 1, 2))),
                               tmp_path / 'model.onnx', resize=resize, mean=[1.0, 2.0, 3.0],
                               std=[10.0, 20.0, 30.0]))  # fmt: skip
    picture = np.random.randint(0, 255, (*shape, 3), np.uint8)
    step = dict(type='Resize', keep_ratio=False)
    if resize == 'letterbox':
        step = dict(type='DarknetLetterbox')
    pipeline = Compose([TRANSFORMS.build(dict(step, scale=(FACTS['width'], FACTS['height'])))])
    expected = pipeline(dict(img=picture, img_shape=shape, ori_shape=shape))
    inputs, scale, offset = model.prepare(picture)
    values = (expected['img'][..., ::-1].astype(np.float32) - [1, 2, 3]) / [10, 20, 30]
    np.testing.assert_allclose(inputs[0], values.transpose(2, 0, 1), rtol=1e-6)
    np.testing.assert_allclose(scale, expected['scale_factor'], rtol=1e-6)
    assert offset == expected.get('letterbox', (0, 0))


@pytest.mark.parametrize('seed', range(3))
def test_the_runner_and_the_graph_keep_the_same_boxes(tmp_path, seed):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 50, (1, 60, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 30, (1, 60, 2))], axis=-1)
    scores = rng.uniform(0, 1, (1, 60, 2)) * (rng.uniform(0, 1, (1, 60, 2)) > 0.5)
    made = canned(boxes, scores)
    expected = [each[0] for each in run(with_survivors(made, 0.45, 20))]
    model = run_onnx.Model(saved(made, tmp_path / 'model.onnx', iou_thr=0.45, max_per_img=20))
    found = model(np.zeros((FACTS['height'], FACTS['width'], 3), np.uint8))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_what_is_no_model_or_no_picture_is_one_line(tmp_path, picture):
    model = saved(canned(np.zeros((1, 1, 4)), np.zeros((1, 1, 2))), tmp_path / 'model.onnx')
    for args, said in (
        ((picture, picture), "picture.png' is no model of tools/export_onnx.py"),
        ((tmp_path / 'absent.onnx', picture), 'No such file or directory'),
        ((model, model), "model.onnx' is no picture that OpenCV can read"),
        ((model, picture, picture), 'two of the pictures have one name'),
    ):
        ended = call(*args, '--out', tmp_path / 'out')
        assert ended.returncode == 1
        last = ended.stderr.splitlines()[-1]
        assert last.startswith('error: ') and said in last
        assert not (tmp_path / 'out' / 'detections.json').exists()


def test_drawn_pictures_never_replace_those_given(tmp_path, picture):
    model = saved(canned(np.zeros((1, 1, 4)), np.zeros((1, 1, 2))), tmp_path / 'model.onnx')
    before = picture.read_bytes()
    ended = call(model, picture, '--out', tmp_path)
    assert ended.returncode == 1 and 'which drawn ones would replace' in ended.stderr
    assert picture.read_bytes() == before
