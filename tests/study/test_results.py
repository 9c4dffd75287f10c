"""The tables in the project's documents are those of its recorded results."""

import re
import subprocess
from pathlib import Path

import pytest

from mmdet_lrm.study.documents import BLOCK, NO_RECORDS, find_documents, rendered
from mmdet_lrm.study.records import read_records

ROOT = Path(__file__).parents[2]
DOCUMENTS = find_documents(ROOT)


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_tables_of_a_document_are_current(document):
    text = document.read_text()
    assert rendered(text, document, ROOT) == text, 'run: python tools/benchmark.py --render'


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_what_a_document_shows_and_links_is_there(document):
    links = re.findall(r'\]\(([^)#:\s]+)(?:#[^)]*)?\)', document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.fixture(scope='module')
def recorded():
    """Files of results/ that belong to the project; a user's own comparisons lie beside them."""
    git = ['git', '-C', str(ROOT), 'ls-files', 'results/*.json', ':!results/parts']
    found = subprocess.run(git, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip('this is no git checkout')
    return {name for name in found.stdout.split() if Path(name).stem not in NO_RECORDS}


def test_every_recorded_comparison_stands_in_a_document(recorded):
    texts = [document.read_text() for document in DOCUMENTS]
    assert recorded <= {block['file'] for text in texts for block in BLOCK.finditer(text)}


def test_all_records_have_less_than_600_kb(recorded):
    assert 0 < sum((ROOT / name).stat().st_size for name in recorded) < 600_000


def test_every_run_says_how_it_was_made(recorded):
    for name in recorded:
        for record in read_records(ROOT / name):
            assert record.commit and record.versions and record.hardware, name
            assert record.minutes or Path(name).stem == 'make_demo', name
