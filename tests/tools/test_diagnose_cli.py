"""tools/diagnose.py: a small training of it, from its measurements to a record."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmdet_lrm.kitti.drawing import draw_kitti
from mmdet_lrm.study.records import read_records

ROOT = Path(__file__).parents[2]
TOOL = [sys.executable, str(ROOT / 'tools/diagnose.py')]
TINY = str(ROOT / 'configs/yolov2-tiny_kitti.py')


def test_an_interval_of_nothing_is_a_usage_error(tmp_path):
    command = [*TOOL, TINY, '--interval', '0']
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stdout == '' and 'faster_coco_eval' not in result.stderr
    assert '--interval is 0; it must be at least 1' in result.stderr


@pytest.mark.slow
def test_a_diagnosis_is_printed_and_recorded_in_the_place_of_an_older_one(tmp_path, monkeypatch):
    monkeypatch.setenv('KITTI_ROOT', str(draw_kitti(tmp_path / 'kitti', 16, 1)))
    command = [*TOOL, TINY, '--interval', '1', '--record', 'x.json', '--label', 'mine']
    for _ in range(2):
        result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    assert 'starting' not in result.stdout  # the second time
    assert 'Initialized by' not in result.stdout
    assert not [log for log in tmp_path.rglob('*.log') if 'Epoch(val)' in log.read_text()]
    assert '| end | 25 % |' in result.stdout and '\nhard_ratio=0.25 ' in result.stdout
    (record,) = read_records(tmp_path / 'x.json')
    assert record.evaluations == {} and record.images == 'kitti: ImageSets/train.txt'
    assert record.label == 'mine' and record.config == 'yolov2-tiny_kitti'
    easy = record.diagnosis['0.25/gradient/easy']
    assert record.metrics['end/0.25/gradient/easy'] == easy[-1]
