"""The tables in the documents are those of the recorded results."""

import json
import subprocess
from pathlib import Path

import pytest

from mmdet_lrm.study.tables import BLOCK, render

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / 'README.md', ROOT / 'configs/README.md', *sorted((ROOT / 'docs').glob('*.md'))]


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda file: file.name)
def test_the_tables_of_a_document_are_current(document):
    text = document.read_text()
    assert render(text, document, ROOT) == text, 'run: python tools/benchmark.py --render'


@pytest.fixture(scope='module')
def recorded():
    """Files of results/ that belong to the project; a user's own comparisons lie beside them."""
    git = ['git', '-C', str(ROOT), 'ls-files', 'results/*.json']
    found = subprocess.run(git, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip('this is no git checkout')
    return {name for name in found.stdout.split() if name != 'results/heads.json'}


def test_every_recorded_comparison_stands_in_a_document(recorded):
    texts = [document.read_text() for document in DOCUMENTS]
    assert recorded == {block['file'] for text in texts for block in BLOCK.finditer(text)}


def test_every_run_says_how_it_was_made(recorded):
    for name in recorded:
        for record in json.loads((ROOT / name).read_text()):
            assert {'label', 'baseline', 'config', 'seed', 'metrics'} <= record.keys()
            assert {'commit', 'versions', 'hardware', 'minutes'} <= record.keys()
