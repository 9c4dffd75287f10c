"""The tables in the documents are those of the recorded results."""

import json
from pathlib import Path

import pytest

from mmdet_lrm.benchmark.tables import BLOCK, render

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / 'README.md', ROOT / 'configs/README.md', *sorted((ROOT / 'docs').glob('*.md'))]


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda file: file.name)
def test_the_tables_of_a_document_are_current(document):
    text = document.read_text()
    assert render(text, document, ROOT) == text, 'run: python tools/benchmark.py --render'


def test_every_recorded_comparison_stands_in_a_document():
    shown = {
        block['file'] for document in DOCUMENTS for block in BLOCK.finditer(document.read_text())
    }
    recorded = {f'results/{file.name}' for file in (ROOT / 'results').glob('*.json')}
    assert recorded - {'results/heads.json'} == shown


def test_every_run_says_how_it_was_made():
    for file in (ROOT / 'results').glob('*.json'):
        records = json.loads(file.read_text())
        if file.stem != 'heads':
            for record in records:
                assert {'label', 'baseline', 'config', 'seed', 'metrics'} <= record.keys()
                assert {'commit', 'versions', 'hardware', 'minutes'} <= record.keys()
