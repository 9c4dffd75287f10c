import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / 'tools/kitti_eval.py'
CAR = 'Car 0 0 0 100 100 150 200 1 1 1 1 1 1 0'


def run(*args) -> subprocess.CompletedProcess:
    command = [sys.executable, str(TOOL), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


def test_json_has_classes_difficulties_and_aps_only(tmp_path):
    (tmp_path / 'gt').mkdir()
    (tmp_path / 'det').mkdir()
    (tmp_path / 'gt/000000.txt').write_text(CAR + '\n')
    (tmp_path / 'det/000000.txt').write_text(CAR + ' 0.5\n')
    done = run(tmp_path / 'gt', tmp_path / 'det', '--json', tmp_path / 'out.json')
    assert done.returncode == 0, done.stderr
    assert 'Cyclist' in done.stdout
    result = json.loads((tmp_path / 'out.json').read_text())
    assert list(result) == ['Car', 'Pedestrian', 'Cyclist']
    for levels in result.values():
        assert list(levels) == ['easy', 'moderate', 'hard']
        assert all(list(values) == ['AP11', 'AP40'] for values in levels.values())
    assert result['Car']['easy']['AP11'] == pytest.approx(100 / 11)


def test_errors_are_one_message_without_a_traceback(tmp_path):
    done = run(tmp_path, tmp_path / 'nowhere')
    assert done.returncode == 1
    assert done.stderr.startswith('error: ') and 'nowhere' in done.stderr
    assert 'Traceback' not in done.stderr


def test_a_json_file_that_cannot_be_written_is_one_message(tmp_path):
    for folder in ('gt', 'det'):
        (tmp_path / folder).mkdir()
    (tmp_path / 'gt/000000.txt').write_text(CAR + '\n')
    (tmp_path / 'det/000000.txt').write_text(CAR + ' 0.5\n')
    done = run(tmp_path / 'gt', tmp_path / 'det', '--json', tmp_path / 'nowhere/out.json')
    assert done.returncode == 1
    assert done.stderr.startswith('error: ') and 'nowhere' in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize('name', ['kitti_eval', 'prepare_kitti'])
def test_starts_without_mmdet_and_torch(name):
    command = [sys.executable, '-X', 'importtime', str(TOOL.with_stem(name)), '--help']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    imported = {line.rpartition('|')[2].strip() for line in done.stderr.splitlines()}
    assert 'mmdet_lrm.kitti.evaluation' in imported
    assert not imported & {'mmdet', 'mmengine', 'torch'}


def test_agrees_with_the_official_devkit(shared_dir, tmp_path):
    done = run(
        shared_dir / 'data/kitti_subset/training/label_2',
        shared_dir / 'golden/kitti_eval/detections',
        '--json',
        tmp_path / 'out.json',
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / 'out.json').read_text())
    expected = json.loads((shared_dir / 'golden/kitti_eval/expected.json').read_text())
    for name, levels in expected.items():
        for level, values in levels.items():
            for ap in ('AP11', 'AP40'):
                assert result[name][level][ap] == pytest.approx(values[ap], abs=1e-4)
