"""The programs that measure: what they measure, what they leave out, and a run on a CPU."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import gpu
import gpu_parts
import inference_rows
import performance as program
import program_rows
import pytest
import torch
import training_rows
from in_turn import compared
from torch import nn

from mmdet_lrm.study import performance

ROOT = Path(__file__).parents[2]
ROW = compared('losses', 'x', {'a': [1.0], 'b': [2.0]}, 'a', 'b', 'memory')


def test_a_peer_that_is_not_installed_is_left_out_with_a_word(monkeypatch, capsys):
    def absent(rounds, quick):
        raise ModuleNotFoundError('lightnet is not installed')

    parts = dict(there=lambda rounds, quick: [ROW], absent=absent)
    monkeypatch.setattr(program, 'parts', lambda _: parts)
    args = argparse.Namespace(rounds=1, quick=True, only=[*parts], json=None)
    found = program.measured(args)
    assert found.rows == [ROW] and found.curve is None
    assert 'left out: absent: lightnet is not installed\n' in capsys.readouterr().out


def test_what_was_measured_before_a_part_that_fails_is_kept(monkeypatch, tmp_path):
    parts = dict(there=lambda rounds, quick: [ROW], failing=lambda rounds, quick: 1 / 0)
    monkeypatch.setattr(program, 'parts', lambda _: parts)
    args = argparse.Namespace(rounds=1, quick=True, only=[*parts], json=tmp_path / 'rows.json')
    with pytest.raises(ZeroDivisionError):
        program.measured(args)
    assert performance.read(args.json).rows == [ROW]


@pytest.mark.parametrize(('batch', 'bar'), [(1, 0.41), (16, None)])
def test_a_share_is_wanted_of_one_picture_at_a_time(batch, bar):
    assert inference_rows.limited('folded, channels last', batch)[1] == bar
    assert inference_rows.limited('batch norm folded', batch) == ('', None)


def test_the_memory_of_a_process_is_its_own():
    # This process holds torch, of hundreds of MiB; an empty Python holds a tenth of that.
    assert torch and program_rows.spent([sys.executable, '-S', '-c', 'pass'])[1] < 40


def test_a_step_of_which_one_in_many_costs_more_costs_their_mean():
    assert training_rows.one_in(50, [110.0, 60.0], [10.0, 10.0]) == [12.0, 11.0]


def test_without_a_network_inference_is_left_out():
    parts = program.parts(argparse.Namespace(darknet=None, images=[]))
    with pytest.raises(FileNotFoundError, match='--darknet and --images'):
        parts['network_alone'](1, True)


@pytest.mark.slow
def test_the_measured_rows_go_to_the_record(tmp_path):
    file = tmp_path / 'rows.json'
    command = [sys.executable, str(ROOT / 'benchmarks/performance.py'), '--quick', '--rounds', '1']
    command += ['--only', 'alone', 'with_memory_kept', 'beside_mining', '--json', str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = json.loads(file.read_text())['rows']
    assert [row['against'] for row in rows] == [
        *('plain sum', 'a full sort', 'as glibc does'),
        *('a step without', 'a step without', 'a step'),
    ]
    assert all(row['ratio'] > 0 and f'| {row["what"]} |' in done.stdout for row in rows)


def test_a_part_that_fails_is_told_and_the_next_one_runs(capsys):
    report = gpu.Report()
    report.part('first', lambda: 1 / 0)
    report.part('second', lambda: 'done')
    assert report.failed == ['first']
    assert capsys.readouterr().out.split()[-3:] == ['##', 'second', 'done']
    assert 'ZeroDivisionError' in report.lines[1]


def test_the_share_of_the_peak_is_operations_by_time(monkeypatch):
    """A convolution of 1 x 1 from 3 to 2 channels on 4 x 4 px is 192 operations an image."""
    size = gpu_parts.Size(side=4, batch=5, steps=1, matrix=10)
    monkeypatch.setattr(gpu_parts, 'detector', lambda *_: (nn.Conv2d(3, 2, 1, bias=False), None))
    monkeypatch.setattr(gpu_parts, 'network', lambda model, _: model)
    # 2 s for the network; the product, of 2 * 10 ** 3 operations, takes as long.
    monkeypatch.setattr(gpu_parts, 'timed', lambda *_: 2.0)
    speed, *_ = gpu_parts.speeds('cpu', size, training=False)
    assert speed == ('float32', 2.5, pytest.approx(5 * 192 / 2000))


@pytest.mark.slow
def test_the_program_for_a_gpu_runs_on_a_cpu_with_a_word(tmp_path, monkeypatch):
    if torch.cuda.is_available():
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    out = tmp_path / 'report.txt'
    command = [sys.executable, str(ROOT / 'benchmarks/gpu.py'), '--out', str(out)]
    subprocess.run(command, capture_output=True, text=True, check=True)
    text = out.read_text()
    assert text.startswith('PyTorch sees no GPU')
    assert text.count('two steps\n') == 3
    assert text.count('| bfloat16 |') == 2
