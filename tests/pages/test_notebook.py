"""The notebook of the documents: what is committed of it, and a run on fewer images."""

import base64
import json
import re

import cv2
import numpy as np
import pytest
from page_blocks import ROOT

NOTEBOOK = ROOT / 'docs/first-steps.ipynb'
SMALL = {'epochs=6, num_train=100, num_val=20': 'epochs=1, num_train=8, num_val=2'}


def outputs(notebook, kind):
    """Of all cells, what they show of a type."""
    found = (each.get('data', {}) for cell in notebook['cells'] for each in cell.get('outputs', ()))
    return [''.join(data[kind]) for data in found if kind in data]


def methods(notebook):
    """First column of the table."""
    (table,) = outputs(notebook, 'text/markdown')
    return [line.split(' | ')[0].removeprefix('| ') for line in table.splitlines()[2:]]


def picture(notebook):
    (found,) = outputs(notebook, 'image/jpeg')
    return cv2.imdecode(np.frombuffer(base64.b64decode(found), np.uint8), cv2.IMREAD_COLOR)


def test_what_is_committed_is_small_whole_and_of_no_machine():
    text = NOTEBOOK.read_text()
    notebook = json.loads(text)
    assert len(text) < 300_000 and len(notebook['cells']) <= 12
    assert picture(notebook).shape[:2] == (550, 1300)
    assert methods(notebook) == ['yolov2-tiny_kitti', 'LRM']
    assert re.findall(r'/(?:home|root|tmp|usr|work|Users)\b[^"]*', text) == []
    numbers = [cell['execution_count'] for cell in notebook['cells'] if 'outputs' in cell]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.slow
def test_the_notebook_ends_with_a_picture_and_a_table(tmp_path):
    for module in ('nbclient', 'ipykernel'):
        pytest.importorskip(module, reason="needs the extra 'notebook'")
    import nbformat
    import run_notebook

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        cell.outputs = []
        for given, small in SMALL.items():
            cell.source = cell.source.replace(given, small)
    assert all(any(small in cell.source for cell in notebook.cells) for small in SMALL.values())
    found = run_notebook.shown(run_notebook.run(notebook, tmp_path))
    assert picture(found).std() > 10  # not one colour
    assert methods(found) == ['yolov2-tiny_kitti', 'LRM']
    runs = (tmp_path / 'work_dirs/first-steps/runs').iterdir()
    assert sorted(path.name.split('-seed')[0] for path in runs) == ['LRM', 'yolov2-tiny_kitti']
