"""Images that are decoded before a training begins."""

import struct
import zlib
from collections import OrderedDict

import cv2
import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import Image

from mmdet_lrm import launch
from mmdet_lrm.errors import UserError
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


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """A file of these chunks: name and content."""
    parts = [
        struct.pack('>I', len(content))
        + name
        + content
        + struct.pack('>I', zlib.crc32(name + content))
        for name, content in chunks
    ]
    return b'\x89PNG\r\n\x1a\n' + b''.join(parts)


HEADER = (b'IHDR', struct.pack('>IIBBBBB', 4, 2, 8, 2, 0, 0, 0))  # 4 x 2 px of RGB, 8 bits each
ROWS = 2 * (b'\0' + bytes(range(12)))
PIXELS, END = (b'IDAT', zlib.compress(ROWS)), (b'IEND', b'')


@pytest.mark.parametrize(
    'chunks',
    [
        [HEADER, (b'iCCP', b'not a profile'), PIXELS, END],
        [HEADER, (b'gAMA', bytes(3)), PIXELS, END],
        [HEADER, PIXELS, (b'eXIf', b'none'), END],
        [HEADER, (b'IDAT', zlib.compress(2 * ROWS)), END],
    ],
)
def test_what_libpng_says_beside_a_whole_image_is_no_fault(tmp_path, chunks, capfd):
    path = tmp_path / 'image.png'
    path.write_bytes(png(*chunks))
    assert cv2.imread(str(path))[1, :, ::-1].tolist() == np.arange(12).reshape(4, 3).tolist()
    assert 'libpng warning' in capfd.readouterr().err
    assert image_fault(path) == ''


@pytest.mark.parametrize(
    ('chunks', 'fault'),
    [
        ([HEADER, PIXELS], 'not an image, or not a whole one'),
        ([HEADER, (b'IDAT', zlib.compress(ROWS[:13])), END], 'not an image, or not a whole one'),
        ([HEADER, (b'iCCP', b'none'), (b'IDAT', PIXELS[1][:-9]), END], 'not an image, or not a w'),
    ],
)
def test_a_png_that_lacks_pixels_or_its_end_has_a_fault(tmp_path, chunks, fault):
    path = tmp_path / 'image.png'
    path.write_bytes(png(*chunks))
    assert image_fault(path).startswith(fault)


def test_a_jpeg_that_ends_too_early_has_a_fault_whatever_else_is_said_of_it(tmp_path):
    path = tmp_path / 'image.jpg'
    Image.new('RGB', (80, 60)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert image_fault(path) == 'Premature end of JPEG file'
    path.write_bytes(whole[:-20].replace(b'JFIF\0\1', b'JFIF\0\3'))
    assert image_fault(path) == 'Warning: unknown JFIF revision number 3.01'


@pytest.fixture
def kitti(tmp_path, monkeypatch):
    """Two images to train on and two to evaluate; a function that checks a training's images."""
    monkeypatch.setenv('KITTI_ROOT', str(draw_kitti(tmp_path / 'kitti', 2, 2)))
    arguments = ['mmdet_lrm::yolov2-tiny_kitti.py', '--work-dir', str(tmp_path / 'work')]

    def check(*more):
        return launch.training_config(launch.training_parser().parse_args([*arguments, *more]))

    return check


def cut_images(folder):
    for path in (folder / 'kitti/training/image_2').iterdir():
        path.write_bytes(path.read_bytes()[:-200])


def test_a_training_with_a_damaged_image_names_it_before_it_begins(kitti, tmp_path):
    kitti('--check-images')
    broken = sorted((tmp_path / 'kitti/training/image_2').iterdir())[-1]
    whole = broken.read_bytes()
    broken.write_bytes(whole[:2000] + bytes(len(whole) - 2000))
    with pytest.raises(LaunchError, match=rf"1 of 4 images cannot .*'{broken}' \("):
        kitti('--check-images')
    kitti()


def test_images_are_checked_before_a_scope_is_set(kitti, tmp_path, monkeypatch):
    monkeypatch.setattr(DefaultScope, '_instance_dict', OrderedDict())  # as a program begins
    kitti('--check-images')
    cut_images(tmp_path)
    with pytest.raises(LaunchError, match='4 of 4 images cannot'):
        kitti('--check-images')


def test_a_training_without_evaluation_has_its_own_images_checked(kitti, tmp_path):
    absent = [f'val_{name}=None' for name in ('dataloader', 'cfg', 'evaluator')]
    kitti('--check-images', '--cfg-options', *absent)
    cut_images(tmp_path)
    with pytest.raises(LaunchError, match='2 of 2 images cannot'):
        kitti('--check-images', '--cfg-options', *absent)


def test_annotations_that_cannot_be_read_are_one_error(kitti, tmp_path):
    (tmp_path / 'kitti/training/label_2/000000.txt').write_text('Car\n')
    with pytest.raises(UserError, match=r'label_2/000000\.txt:1: '):
        kitti('--check-images')
    options = [f'train_dataloader.dataset.{key}' for key in ('type=CocoDataset', 'img_suffix=png')]
    with pytest.raises(LaunchError, match=r'^CocoDataset of train_dataloader cannot be read: '):
        kitti('--check-images', '--cfg-options', *options)
