"""KITTI's result files as they are written."""

import os

import numpy as np
import pytest

from mmdet_lrm.kitti.labels import read_objects
from mmdet_lrm.kitti.results import write_results


def test_results_are_written_in_the_format_of_a_submission(tmp_path):
    path = tmp_path / '000001.txt'
    write_results(path, ['Car', 'Cyclist'], [[1, 2.5, 30, 40], [0, 0, 9.25, 8]], [0.75, 1e-3])
    assert path.read_text() == (
        'Car -1 -1 -10 1 2.5 30 40 -1 -1 -1 -1000 -1000 -1000 -10 0.75\n'
        'Cyclist -1 -1 -10 0 0 9.25 8 -1 -1 -1 -1000 -1000 -1000 -10 0.001\n'
    )
    assert os.listdir(tmp_path) == ['000001.txt']


def test_float32_results_are_read_back_exactly(tmp_path):
    rng = np.random.default_rng(0)
    corner, size = rng.uniform(0, 600, (2, 50, 2))
    bbox = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    score = rng.uniform(0, 1, 50).astype(np.float32) ** 8
    path = tmp_path / '000001.txt'
    write_results(path, ['Car'] * 50, bbox, score)
    objects = read_objects([path], scored=True)
    assert np.array_equal(objects.bbox.astype(np.float32), bbox)
    assert np.array_equal(objects.score.astype(np.float32), score)


def test_a_frame_without_detections_is_an_empty_file(tmp_path):
    path = tmp_path / '000001.txt'
    write_results(path, [], np.zeros((0, 4)), np.zeros(0))
    assert path.read_bytes() == b''
    assert len(read_objects([path], scored=True)) == 0


def test_results_that_make_no_sense_leave_the_old_file_as_it_was(tmp_path):
    path = tmp_path / '000001.txt'
    path.write_text('old')
    with pytest.raises(ValueError, match='1 types, 2 boxes and 1 scores'):
        write_results(path, ['Car'], np.zeros((2, 4)), np.zeros(1))
    with pytest.raises(ValueError, match='scores of the detections have 1 values that are not fin'):
        write_results(path, ['Car'], np.zeros((1, 4)), np.array([np.nan]))
    assert path.read_text() == 'old'


def test_a_failed_write_leaves_no_half_file(tmp_path):
    (tmp_path / '000001.txt').mkdir()
    with pytest.raises(OSError):
        write_results(tmp_path / '000001.txt', ['Car'], np.zeros((1, 4)), np.zeros(1))
    assert os.listdir(tmp_path) == ['000001.txt']
