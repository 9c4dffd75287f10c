import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from detectors import random_pictures, shipped, spread
from models_of_onnx import FACTS, canned, saved
from torch.testing import assert_close

from mmdet_lrm.deploy import timing
from mmdet_lrm.deploy.detector import ExportError
from mmdet_lrm.deploy.timing import Form, Row, forms, measure, of_onnx, table, to_row

PROGRAM = Path(__file__).parents[2] / 'tools' / 'benchmark_fps.py'
SIZE = FACTS['width'], FACTS['height']


def test_a_row_has_medians_of_the_phases_and_percentiles_of_the_whole():
    times = np.array([[1.0, 2, 3], [1, 4, 5], [1, 3, 4]])  # wholes of 6, 10 and 8 ms
    row = to_row('eager', 2, times)
    assert row[:6] == ('eager', 2, 1, 3, 4, 8)
    assert row[6:] == pytest.approx((9.6, 9.96, 250))


def test_a_networks_share_is_of_the_first_form_at_the_same_size_of_batch():
    rows = [Row(name, batch, 1, network, 2, 9, 10, 11, 12) for name, batch, network in
            [('eager', 1, 40), ('fast', 1, 10), ('eager', 16, 200), ('fast', 16, 100)]]  # fmt: skip
    lines = table(rows).splitlines()[2:]
    assert [line.split(' | ')[4] for line in lines] == ['1.00', '0.25', '1.00', '0.50']


def test_forms_are_timed_in_turn_phase_by_phase_after_a_run_that_is_not_counted(monkeypatch):
    now, ran = [0.0], []

    def spend(seconds):
        now[0] += seconds

    def form(name, seconds):
        def network(data):
            ran.append((name, data))
            spend(100 if len(ran) % 2 else seconds)

        return Form(name, network, lambda found, data: spend(0.25))

    monkeypatch.setattr(timing, 'clock', lambda: now[0])
    monkeypatch.setattr(timing, 'prepare', lambda _model, _pipeline, part: spend(0.5) or part)
    both = [form('slow', 4.0), form('fast', 2.0)]
    rows = measure(both, None, None, ['a', 'b', 'c'], batch=2, repeats=2)
    assert rows[0] == Row('slow', 2, 500, 4000, 250, 4750, 4750, 4750, 2000 / 4750)
    assert rows[1][:6] == ('fast', 2, 500, 2000, 250, 2750)
    parts, names = (['a', 'b'], ['c', 'a']), ('slow', 'slow', 'fast', 'fast')
    assert ran == [(name, part) for part in parts for name in names]


def test_every_form_in_full_precision_finds_what_the_plain_one_finds(monkeypatch, tmp_path):
    monkeypatch.setenv('CXX', 'no-compiler')
    monkeypatch.setattr(timing, 'has_bf16', lambda device: False)
    model, data = spread(shipped('yolov2-tiny_voc'), tmp_path)
    data['data_samples'] = [each.set_metainfo(dict(scale_factor=(1, 1))) or each
                            for each in data['data_samples']]  # fmt: skip
    with torch.no_grad():
        found = {form.name: form.boxes(form.network(data), data) for form in forms(model)}
    assert list(found) == ['eager', 'batch norm folded', 'folded, channels last']
    for each in found.values():
        for one, other in zip(each, found['eager'], strict=True):
            assert len(other.scores) > 10
            assert_close(one.scores, other.scores, rtol=0, atol=1e-4)


def test_a_file_without_an_nms_is_timed_with_one(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(timing, 'survivors', lambda *args, **limits: calls.append(limits))
    model, _ = spread(shipped('yolov2-tiny_voc'), tmp_path)
    path = saved(canned(np.zeros((1, 3, 4)), np.ones((1, 3, 2))), tmp_path / 'model.onnx')
    form = of_onnx(path, model, SIZE, threads=1)
    form.boxes(form.network(dict(inputs=torch.zeros(1, 3, *SIZE[::-1]))), {})
    assert calls == [dict(iou_thr=0.45, max_per_img=100)]


def test_a_file_of_another_size_and_one_that_is_no_model_are_refused(tmp_path):
    path = saved(canned(np.zeros((1, 3, 4)), np.ones((1, 3, 2))), tmp_path / 'model.onnx')
    with pytest.raises(ExportError, match='of 64 x 32, and the config makes them 32 x 64'):
        of_onnx(path, None, (32, 64), threads=1)
    path.write_bytes(b'no model')
    with pytest.raises(ExportError, match=r"model.onnx' cannot be read by ONNX Runtime: "):
        of_onnx(path, None, SIZE, threads=1)


def run(*args: object) -> subprocess.CompletedProcess:
    command = [sys.executable, str(PROGRAM), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_program_prints_a_row_for_each_form_and_writes_the_numbers(tmp_path):
    config, numbers = tmp_path / 'config.py', tmp_path / 'rows.json'
    cfg = shipped('yolov2-tiny_voc')
    cfg.dump(config)
    arguments = '--images', *random_pictures(tmp_path), '--batch', 2, '--repeats', 2
    ended = run(config, *arguments, '--json', numbers)
    assert ended.returncode == 0, ended.stderr
    rows = [Row(**each) for each in json.loads(numbers.read_text())]
    assert ended.stdout.strip().endswith(table(rows))
    assert [row.form for row in rows[:2]] == ['eager', 'batch norm folded']
    assert all(
        row.batch == 2 and row.network > 0 and row.p99 >= row.p90 >= row.total > 0 for row in rows
    )
    ended = run(config, *arguments, '--json', tmp_path / 'absent' / 'rows.json')
    assert ended.returncode == 1 and 'error: ' in ended.stderr
    assert ended.stderr.strip().endswith('there is no such folder')
