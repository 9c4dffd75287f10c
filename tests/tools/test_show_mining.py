"""tools/show_mining.py, on a drawn data set."""

import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from mmdet_lrm.kitti.drawing import draw_kitti

ROOT = Path(__file__).parents[2]
TOOL = [sys.executable, str(ROOT / 'tools/show_mining.py')]
MINED, PLAIN = (str(ROOT / f'configs/yolov2-tiny{each}_kitti.py') for each in ('_lrm', ''))


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv('KITTI_ROOT', str(draw_kitti(tmp_path / 'kitti', 2, 2)))

    def run(*arguments):
        command = [*TOOL, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    return run


@pytest.mark.slow
def test_pictures_of_a_known_image_and_of_any_other(run, tmp_path):
    known = tmp_path / 'kitti/training/image_2/000002.jpg'  # evaluated, not trained on
    label = known.parents[1] / 'label_2/000002.txt'
    known_types = [line.split()[0] for line in label.read_text().splitlines()]
    objects = sum(kind in ('Car', 'Pedestrian', 'Cyclist') for kind in known_types)
    other = tmp_path / 'other.png'
    cv2.imwrite(str(other), cv2.imread(str(known)))
    result = run(MINED, known, other, '--cfg-options', 'model.bbox_head.lrm.hard_ratio=0.1')
    assert result.returncode == 0, result.stderr
    of_known, of_other = result.stdout.splitlines()[-2:]
    folder = Path('work_dirs/mining')
    assert of_known.startswith(f'{folder}/000002-mining.png: {objects} objects, 288 of ')
    assert of_other == f'{folder}/other-mining.png: no annotations, 288 of 2880 priors train'
    picture = cv2.imread(str(tmp_path / folder / 'other-mining.png'))
    assert picture.shape[1] > 1000
    assert 'Initialized by' not in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((PLAIN, 'kitti/training/image_2/000000.jpg'), 'YOLOV2Head has no lrm'),
        ((MINED, 'absent.png'), "the image 'absent.png' is not a file"),
        ((MINED, 'absent.pth', 'kitti/training/image_2/000000.jpg'), "'absent.pth' is not a file"),
    ],
)
def test_mistakes_end_in_one_line(run, arguments, message):
    result = run(*arguments)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith('error: ') and message in result.stderr
