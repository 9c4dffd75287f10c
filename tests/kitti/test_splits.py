"""Frame ids: lists of splits, folders of text files."""

import codecs

import pytest

from mmdet_lrm.kitti.objects import KittiDataError
from mmdet_lrm.kitti.splits import frame_ids, read_split


def test_a_split_keeps_its_order_and_its_line_numbers(tmp_path):
    split = tmp_path / 'train.txt'
    split.write_text('000003\n\n000001\r\n 000002 \n')
    assert list(read_split(split).items()) == [('000003', 1), ('000001', 3), ('000002', 4)]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('000001\n000002.png\n', ":2: '000002.png' is no frame id; a line holds one id such as"),
        ('000001 000002\n', ":1: '000001 000002' is no frame id"),
        ('training/000001\n', ":1: 'training/000001' is no frame id"),
        ('000001\n000002\n000001\n', ':3: 000001 stands in line 1 already; remove one'),
        ('', ': the split is empty; it needs at least one frame id per line'),
        ('\n  \n', ': the split is empty'),
    ],
)
def test_a_bad_split_is_named_with_its_line(tmp_path, text, message):
    split = tmp_path / 'train.txt'
    split.write_text(text)
    with pytest.raises(KittiDataError) as caught:
        read_split(split)
    (problem,) = caught.value.problems
    assert problem.startswith(f'{split}{message}')


def test_a_byte_order_mark_is_no_part_of_the_first_id(tmp_path):
    split = tmp_path / 'train.txt'
    split.write_bytes(codecs.BOM_UTF8 + b'000003\r\n000001\r\n')
    assert list(read_split(split).items()) == [('000003', 1), ('000001', 2)]


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        ('000003\n'.encode('utf-16'), 'begins with the mark of UTF-16; save it as UTF-8'),
        (b'000003\n\xe4', 'is not UTF-8: byte 0xe4 at offset 7; save it as UTF-8'),
    ],
)
def test_a_split_of_another_encoding_is_one_problem(tmp_path, data, message):
    split = tmp_path / 'train.txt'
    split.write_bytes(data)
    with pytest.raises(KittiDataError) as caught:
        read_split(split)
    assert caught.value.problems == [f'{split} {message}']


def test_what_a_system_keeps_beside_the_data_is_no_frame(tmp_path):
    for name in ('000001.txt', '._000001.txt', '.DS_Store', 'Thumbs.db', '000002.png'):
        (tmp_path / name).touch()
    assert frame_ids(tmp_path) == {'000001'}
