"""Licences of the project, of what it depends on, and of its pictures."""

import re
from importlib import metadata
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
# Beside Apache-2.0, by what SPDX, PyPI's classifiers and older metadata call them.
ALLOWED = (
    r'(LicenseRef-)?Apache( Software License|[ -]2\.0| License( 2\.0)?)( WITH LLVM-exception)?',
    r'(3-Clause )?BSD( License)?|BSD-[23]-Clause|FreeBSD',
    r'MIT( License)?|MIT-CMU',
    r'PSF-2\.0|Python Software Foundation License',
    r'BSL-1\.0',
    r'ISC( License.*)?',
    r'MPL-2\.0|Mozilla Public License 2\.0 \(MPL 2\.0\)',
)


def pinned():
    text = ''.join(path.read_text() for path in sorted(ROOT.glob('constraints*.txt')))
    return sorted(set(re.findall(r'^([\w.-]+)==', text, re.MULTILINE)))


def licences(distribution):
    """What its metadata say, the most exact first; of a whole text the first line that names it."""
    if expression := distribution.get('License-Expression'):
        return re.split(r' (?:AND|OR) ', expression)
    found = [
        classifier.split(' :: ')[-1]
        for classifier in distribution.get_all('Classifier', [])
        if classifier.startswith('License ::')
    ]
    text = distribution.get('License', '').strip()
    named = re.search(r'^ *(Apache License)$', text, re.MULTILINE)
    return found or re.split(r' (?:AND|OR) ', named[1] if named else text)


@pytest.mark.parametrize('name', pinned())
def test_a_dependency_has_a_licence_that_allows_this_use(name):
    try:
        distribution = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        pytest.skip('belongs to the other stack')
    unknown = [
        each
        for each in licences(distribution)
        if not any(re.fullmatch(pattern, each) for pattern in ALLOWED)
    ]
    assert unknown == []


def test_all_that_states_the_licence_states_the_same():
    text = (ROOT / 'LICENSE').read_text()
    assert text.split()[:4] == ['Apache', 'License', 'Version', '2.0,']
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())['license']
    assert f"license='{citation}'" in (ROOT / 'setup.py').read_text()
    assert citation == 'Apache-2.0'
    readme = (ROOT / 'README.md').read_text()
    assert 'License: Apache 2.0' in readme and 'license-Apache%202.0' in readme


def test_every_picture_is_made_here_or_has_its_origin_in_the_notice():
    notice = (ROOT / 'NOTICE').read_text()
    pictures = [
        str(path.relative_to(ROOT))
        for path in ROOT.glob('docs/**/*.*')
        if path.suffix in ('.png', '.jpg', '.jpeg', '.gif', '.svg', '.webp')
    ]
    assert [each for each in pictures if not each.startswith('docs/plots/')]
    assert all(each.startswith('docs/plots/') or each in notice for each in pictures)
