"""Sizes of pictures, against the arrays that OpenCV and mmcv load."""

import io
import struct
import zlib

import cv2
import mmcv
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from mmdet_lrm.reading.image_size import ImageSizeError, image_size

ORIENTATION = 0x112


def tags(orientation: int, order: str = '<') -> bytes:
    """EXIF with one entry, by hand: mark, first directory at 8, its one entry, no next one."""
    entry = struct.pack(order + 'HHIHH', ORIENTATION, 3, 1, orientation, 0)
    mark = b'II' if order == '<' else b'MM'
    return mark + struct.pack(order + 'HIH', 42, 8, 1) + entry + bytes(4)


def picture(kind: str, exif: bytes = b'') -> bytes:
    """100 x 50 px with these tags."""
    file = io.BytesIO()
    Image.new('RGB', (100, 50)).save(file, kind)
    data = file.getvalue()
    if kind == 'PNG' and exif:
        chunk = b'eXIf' + exif
        chunk = struct.pack('>I', len(exif)) + chunk + struct.pack('>I', zlib.crc32(chunk))
        at = data.index(b'IDAT') - 4
        return data[:at] + chunk + data[at:]
    if exif:
        segment = b'Exif\0\0' + exif
        return data[:2] + b'\xff\xe1' + struct.pack('>H', len(segment) + 2) + segment + data[2:]
    return data


def loaded_size(path) -> tuple[int, int]:
    """By all three readers, which agree: OpenCV, mmcv, the first step of the pipelines."""
    shape = cv2.imread(str(path)).shape
    assert mmcv.imread(str(path)).shape == shape
    assert LoadImageFromFile()(dict(img_path=str(path)))['img_shape'] == shape[:2]
    return shape[1::-1]


@pytest.mark.parametrize('order', '<>')
@pytest.mark.parametrize('suffix', ['jpg', 'png'])
@pytest.mark.parametrize('orientation', range(10))
def test_the_size_is_that_of_the_picture_as_the_training_loads_it(
    tmp_path, orientation, suffix, order
):
    path = tmp_path / f'photo.{suffix}'
    kind = {'jpg': 'JPEG', 'png': 'PNG'}[suffix]
    path.write_bytes(picture(kind, tags(orientation, order)))
    assert image_size(path) == loaded_size(path)
    assert image_size(path) == ((50, 100) if 5 <= orientation <= 8 else (100, 50))


@pytest.mark.parametrize('suffix', ['jpg', 'png'])
def test_a_picture_without_tags_has_the_size_of_its_header(tmp_path, suffix):
    path = tmp_path / f'photo.{suffix}'
    path.write_bytes(picture({'jpg': 'JPEG', 'png': 'PNG'}[suffix]))
    assert image_size(path) == loaded_size(path) == (100, 50)


def test_damaged_tags_are_left_to_opencv(tmp_path):
    path = tmp_path / 'photo.jpg'
    for exif in (b'II', b'XX' + tags(6)[2:], tags(6)[:9], tags(6)[:12], tags(6)[:-4]):
        path.write_bytes(picture('JPEG', exif))
        assert image_size(path) == loaded_size(path), exif


def test_an_orientation_in_xmp_is_none_for_the_training(tmp_path):
    xmp = (
        b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        b'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:tiff='
        b'"http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    plain = picture('JPEG')
    path = tmp_path / 'photo.jpg'
    path.write_bytes(plain[:2] + b'\xff\xe1' + struct.pack('>H', len(xmp) + 2) + xmp + plain[2:])
    assert Image.open(path).getexif()[ORIENTATION] == 6  # Pillow would turn it
    assert image_size(path) == loaded_size(path) == (100, 50)


def test_what_is_no_picture_is_named(tmp_path):
    path = tmp_path / 'photo.jpg'
    with pytest.raises(ImageSizeError, match=r'photo\.jpg: no readable png or jpg image'):
        image_size(path)
    path.write_bytes(b'no picture')
    with pytest.raises(ImageSizeError, match=r'photo\.jpg: no readable png or jpg image'):
        image_size(path)


def test_the_pixels_are_not_decoded(tmp_path):
    path = tmp_path / 'large.png'
    Image.fromarray(np.zeros((4000, 6000, 3), np.uint8)).save(path, exif=b'Exif\0\0' + tags(6))
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b'IDAT') + 4])  # nothing is left to decode
    assert image_size(path) == (4000, 6000)
