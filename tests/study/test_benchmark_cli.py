"""tools/benchmark.py: what it refuses at once, and small comparisons from drawing to table."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmdet_lrm.kitti.drawing import draw_kitti
from mmdet_lrm.study.records import read_records, write_records
from mmdet_lrm.study.report import columns, recommendation

ROOT = Path(__file__).parents[2]
TOOL = [sys.executable, str(ROOT / 'tools/benchmark.py')]
TINY = str(ROOT / 'configs/yolov2-tiny_kitti.py')
MINED = str(ROOT / 'configs/yolov2-tiny_lrm_kitti.py')
STUDY = str(ROOT / 'configs/studies/kitti_scratch.py')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return draw_kitti(tmp_path_factory.mktemp('data') / 'kitti', 8, 4)


@pytest.mark.parametrize(
    ('arguments', 'status', 'message'),
    [
        ([TINY, MINED], 2, 'the results need a name before the configs'),
        (['x', TINY], 2, 'give another config, --variants or --grid'),
        (['x', TINY, MINED, '--overlay', 'no.py'], 1, "the overlay 'no.py' is not a file"),
        ([STUDY, '--part', '3/2'], 1, "--part is '3/2'; it must be I/N"),
        (['x', TINY, MINED, '--data-root', 'no'], 1, "needs '.*no', which does not exist"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_any_training(
    arguments, status, message, tmp_path
):
    result = subprocess.run([*TOOL, *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == status
    assert re.search(f'error: .*{message}', result.stderr.splitlines()[-1])
    assert not list(tmp_path.iterdir())


def test_records_of_parts_are_merged_and_what_is_missing_is_said(tmp_path):
    records = read_records(ROOT / 'results/kitti_scratch.json')
    write_records(records[:3], tmp_path / 'a.json')
    write_records(records[4:], tmp_path / 'b.json')
    command = [*TOOL, STUDY, '--merge', 'a.json', 'b.json', '--data-root', 'data/kitti_subset']
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert 'missing: yolov2-tiny_lrm_kitti, seed 1\n' in result.stdout
    merged = tmp_path / 'results/kitti_scratch.json'
    assert read_records(merged) == records[:3] + records[4:]
    write_records(records[3:4], tmp_path / 'c.json')
    command[command.index('--data-root') : command.index('--data-root') + 2] = []
    alone = [*command[: command.index('a.json')], 'c.json']
    result = subprocess.run(alone, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 1 and 'holds 5 of 5 runs that are not among' in result.stderr
    assert len(read_records(merged)) == 5
    command += ['c.json', str(merged)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert 'missing' not in result.stdout and '| yolov2-tiny_lrm_kitti | 3 |' in result.stdout
    assert read_records(merged) == records


def test_a_name_with_a_dot_is_a_name_and_the_runs_of_its_file_are_kept(data, tmp_path):
    records = read_records(ROOT / 'results/kitti_scratch.json')
    write_records(records[:2], tmp_path / 'results/k0.05.json')
    command = [*TOOL, 'k0.05', TINY, '--grid', 'hard_ratio=0.05', '--data-root', str(data)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 1
    message = r"'results/k0\.05\.json' holds \d of 2 runs that .* ask for these too, give another"
    assert re.search(message, result.stderr.splitlines()[-1])
    assert not (tmp_path / 'work_dirs').exists()


@pytest.mark.slow
def test_a_comparison_that_is_interrupted_goes_on_to_its_table(data, tmp_path):
    command = [*TOOL, 'small', TINY, '--grid', 'hard_ratio=0.25', '--data-root', str(data)]
    command += ['--seeds', '2', '--cfg-options', 'train_cfg.max_epochs=1']
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    while '2 of 4 runs' not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 1
    done = sorted(tmp_path.glob('work_dirs/benchmark/small/runs/*/finished.json'))
    before = [file.stat().st_mtime for file in done]
    assert len(done) == 2
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert [file.stat().st_mtime for file in done] == before
    records = read_records(tmp_path / 'results/small.json')
    found = [(each.label, each.seed, each.baseline) for each in records]
    assert found == [
        ('yolov2-tiny_kitti', 0, None),
        ('hard_ratio=0.25', 0, 'yolov2-tiny_kitti'),
        ('yolov2-tiny_kitti', 1, None),
        ('hard_ratio=0.25', 1, 'yolov2-tiny_kitti'),
    ]
    for record in records:
        assert record.minutes > 0 and record.memory_mb > 100
        assert record.losses['epoch'] == record.evaluations['epoch'] == [1]
    weights = [each.initial_weights for each in records]
    assert weights[0] == weights[1] != weights[2] == weights[3]
    folder = tmp_path / 'work_dirs/benchmark/small'
    assert len(list(folder.glob('runs/*/detections.pkl'))) == 4
    table = (folder / 'table.md').read_text()
    assert table in result.stdout and '| hard_ratio=0.25 | 2 |' in table
    advice = recommendation(records, next(iter(columns(records).values())))
    assert str(advice) in result.stdout
    for name in ('differences', 'learning'):
        assert (folder / f'{name}.png').is_file()


@pytest.mark.slow
def test_two_machines_do_a_study_together(data, tmp_path):
    (tmp_path / 'pair.py').write_text(
        f"baseline = '{TINY}'\nvariants = [dict(hard_ratio=0.25)]\nseeds = 2\nepochs = 2\n"
    )
    command = [*TOOL, 'pair.py', '--data-root', str(data)]
    for part in ('1/2', '2/2'):
        subprocess.run([*command, '--part', part], check=True, cwd=tmp_path)
    parts = [tmp_path / f'results/pair.part{number}of2.json' for number in (1, 2)]
    assert [{each.seed for each in read_records(part)} for part in parts] == [{0}, {1}]
    merge = [*command, '--merge', *map(str, parts)]
    result = subprocess.run(merge, capture_output=True, text=True, cwd=tmp_path)
    assert '| hard_ratio=0.25 | 2 |' in result.stdout
    records = read_records(tmp_path / 'results/pair.json')
    assert records == [each for part in parts for each in read_records(part)]
    # The whole finds what the parts did.
    again = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert 'starting' not in again.stdout
    assert read_records(tmp_path / 'results/pair.json') == records
