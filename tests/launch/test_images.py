"""Images that are decoded before a training begins."""

import cv2
import numpy as np
import pytest

from mmdet_lrm import launch
from mmdet_lrm.kitti.drawing import draw_kitti
from mmdet_lrm.launch import LaunchError
from mmdet_lrm.launch.images import image_fault


@pytest.fixture(params=['.jpg', '.png'])
def image(request, tmp_path):
    path = tmp_path / f'image{request.param}'
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    cv2.imwrite(str(path), pixels)
    return path


def test_a_whole_image_has_no_fault(image):
    assert image_fault(image) == ''


@pytest.mark.parametrize(
    'damage',
    [
        lambda whole: whole[:700] + np.random.default_rng(1).bytes(len(whole) - 700),
        lambda whole: whole[:700] + bytes(len(whole) - 700),
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:100],
        lambda whole: b'',
    ],
)
def test_garbage_behind_a_header_and_an_end_that_is_missing_are_found(image, damage):
    image.write_bytes(damage(image.read_bytes()))
    assert image_fault(image)


def test_a_training_with_a_damaged_image_names_it_before_it_begins(tmp_path, monkeypatch):
    root = draw_kitti(tmp_path / 'kitti', 2, 2)
    monkeypatch.setenv('KITTI_ROOT', str(root))
    arguments = ['mmdet_lrm::yolov2-tiny_kitti.py', '--work-dir', str(tmp_path / 'work')]
    checked = launch.training_parser().parse_args([*arguments, '--check-images'])
    launch.training_config(checked)
    broken = sorted((root / 'training/image_2').iterdir())[-1]
    whole = broken.read_bytes()
    broken.write_bytes(whole[:2000] + bytes(len(whole) - 2000))
    with pytest.raises(LaunchError, match=rf"1 of 4 images cannot .*'{broken}' \("):
        launch.training_config(checked)
    launch.training_config(launch.training_parser().parse_args(arguments))
