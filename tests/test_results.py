"""The tables in the documents are those of the recorded results."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = sorted((ROOT / 'results').glob('kitti_*.json')) + sorted(
    (ROOT / 'results').glob('bccd_*.json')
)
COLUMNS = ('Car_moderate', 'Pedestrian_moderate', 'Cyclist_moderate', 'moderate')


def table_row(run):
    """A run as a row of a table: config, seed, and its APs in percent.

    On KITTI AP40 / AP11 of the classes and their mean; else mAP of the val and of the test split.
    """
    metrics = run['metrics']
    if 'voc/mAP' in metrics:
        cells = [f'{metrics["voc/mAP"] * 100:.1f}', f'{metrics["test/voc/mAP"] * 100:.1f}']
        return f'{run["config"]}.py) | {run["seed"]} | {" | ".join(cells)} |'
    cells = [
        f'{metrics[f"kitti/{key}_AP40"]:.2f} / {metrics[f"kitti/{key}_AP11"]:.2f}'
        for key in COLUMNS
    ]
    return f'{run["config"]}.py) | {run["seed"]} | {" | ".join(cells)} |'


def test_there_are_results():
    assert RESULTS


@pytest.mark.parametrize('file', RESULTS, ids=lambda file: file.stem)
@pytest.mark.parametrize('document', ['README.md', 'configs/README.md'])
def test_every_recorded_run_stands_in_the_tables(file, document):
    document = (ROOT / document).read_text()
    missing = [row for row in map(table_row, json.loads(file.read_text())) if row not in document]
    assert missing == []
