"""One reader for all texts: UTF-8 with or without a mark, and clear words on all else."""

import codecs

import pytest

from mmdet_lrm.reading.text import TextError, read_text


@pytest.mark.parametrize('mark', [b'', codecs.BOM_UTF8])
def test_utf8_is_read_with_and_without_a_mark(tmp_path, mark):
    (tmp_path / 'a.txt').write_bytes(mark + 'Füße\r\nzwei\rdrei\n'.encode())
    assert read_text(tmp_path / 'a.txt') == 'Füße\nzwei\ndrei\n'


@pytest.mark.parametrize(('mark', 'offset'), [(b'', 2), (codecs.BOM_UTF8, 5)])
def test_another_encoding_is_refused_with_the_byte_and_its_offset(tmp_path, mark, offset):
    (tmp_path / 'a.txt').write_bytes(mark + 'caß'.encode('latin-1'))
    with pytest.raises(TextError, match=rf'a\.txt is not UTF-8: byte 0xdf at offset {offset}; sa'):
        read_text(tmp_path / 'a.txt')


def test_a_fallback_is_taken_with_a_word(tmp_path):
    (tmp_path / 'a.txt').write_bytes('Café'.encode('latin-1'))
    with pytest.warns(UserWarning, match=r'byte 0xe9 at offset 3; it was read as latin-1'):
        assert read_text(tmp_path / 'a.txt', fallback='latin-1') == 'Café'


def test_a_fallback_that_does_not_fit_either_is_refused(tmp_path):
    (tmp_path / 'a.txt').write_bytes(b'ok\xff')
    with pytest.raises(TextError, match=r'nor is it gbk: byte 0xff at offset 2'):
        read_text(tmp_path / 'a.txt', fallback='gbk')


@pytest.mark.parametrize('encoding', ['utf-16', 'utf-32'])
def test_a_mark_of_another_encoding_is_named_even_with_a_fallback(tmp_path, encoding):
    (tmp_path / 'a.txt').write_bytes('abc'.encode(encoding))
    with pytest.raises(TextError, match=f'the mark of {encoding.upper()}'):
        read_text(tmp_path / 'a.txt', fallback='latin-1')
