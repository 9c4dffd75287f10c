"""tools/benchmark.py: what it refuses at once, and a small comparison from drawing to table."""

import importlib
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmdet_lrm.kitti.drawn import draw_kitti

ROOT = Path(__file__).parents[2]
TOOL = [sys.executable, str(ROOT / 'tools/benchmark.py')]
TINY = str(ROOT / 'configs/yolov2-tiny_kitti.py')
MINED = str(ROOT / 'configs/yolov2-tiny_lrm_kitti.py')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return draw_kitti(tmp_path_factory.mktemp('data') / 'kitti', 8, 4)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([TINY], 'the results need a name'),
        (['x', TINY], 'give a variant, or --grid'),
        (['x', TINY, MINED, '--seeds', '0'], '--seeds is 0; it must be at least 1'),
        (['x', TINY, MINED, '--grid', 'hard_ratio=0.1'], '--grid takes one config'),
        (['x', TINY, '--grid', 'hard_ratio'], "--grid has 'hard_ratio'; give KEY=A,B"),
        (['x', TINY, '--grid', 'hard_ratio=0.1,2'], 'hard_ratio=2: .*lrm.hard_ratio is 2'),
        (['x', MINED, '--grid', 'hard_ratio=0.1'], 'has an lrm already'),
        (
            ['x', TINY, str(ROOT / 'configs/yolov2-tiny_focal_kitti.py')],
            r'in more than model.bbox_head.lrm:\n +model.bbox_head.loss_conf.type',
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_before_any_training(
    arguments, message, data, tmp_path, monkeypatch, capsys
):
    monkeypatch.syspath_prepend(ROOT / 'tools')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', ['benchmark.py', *arguments, '--data-root', str(data)])
    for name in ('KITTI_ROOT', 'VOC_ROOT', 'COCO_ROOT', 'BCCD_ROOT', 'DATA_ROOT'):
        monkeypatch.setenv(name, str(data))
    with pytest.raises(SystemExit) as error:
        importlib.import_module('benchmark').main()
    for name in ('benchmark', 'runs', 'launch'):
        sys.modules.pop(name, None)
    assert re.search(message, f'{error.value}{capsys.readouterr().err}')
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_comparison_that_is_interrupted_goes_on_to_its_table(data, tmp_path):
    command = [*TOOL, 'small', TINY, '--grid', 'hard_ratio=0.25', '--data-root', str(data)]
    command += ['--seeds', '2', '--bootstrap', '20', '--cfg-options', 'train_cfg.max_epochs=1']
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    while '2 of 4 runs' not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 1
    done = sorted(tmp_path.glob('work_dirs/benchmark/small/runs/*/done.json'))
    before = [file.stat().st_mtime for file in done]
    assert len(done) == 2
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert [file.stat().st_mtime for file in done] == before
    records = json.loads((tmp_path / 'results/small.json').read_text())
    found = [(each['label'], each['seed'], each['baseline']) for each in records]
    assert found == [
        ('yolov2-tiny_kitti', 0, None),
        ('hard_ratio=0.25', 0, 'yolov2-tiny_kitti'),
        ('yolov2-tiny_kitti', 1, None),
        ('hard_ratio=0.25', 1, 'yolov2-tiny_kitti'),
    ]
    for record in records:
        assert len(record['bootstrap']['kitti/moderate_AP40']) == 20
        assert record['minutes'] > 0 and record['memory_mb'] > 100
    weights = [each['initial_weights'] for each in records]
    assert weights[0] == weights[1] != weights[2] == weights[3]
    table = (tmp_path / 'work_dirs/benchmark/small/table.md').read_text()
    assert table in result.stdout and '| hard_ratio=0.25 | 2 |' in table
    assert 'keep the baseline' in result.stdout or 'Recommended' in result.stdout
    for name in ('differences', 'learning', 'precision'):
        assert (tmp_path / f'work_dirs/benchmark/small/{name}.png').stat().st_size > 5000
