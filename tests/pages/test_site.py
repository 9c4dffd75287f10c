"""The site of the documents: built strictly, and read without a network."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What a browser fetches by itself, which a link (`a`) is not.
FETCHED = {'img': 'src', 'script': 'src', 'link': 'href', 'iframe': 'src', 'source': 'src'}


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    pytest.importorskip('material', reason="needs the extra 'docs'")
    pytest.importorskip('mkdocstrings', reason="needs the extra 'docs'")
    folder = tmp_path_factory.mktemp('site')
    build = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', str(folder)]
    env = {**os.environ, 'NO_MKDOCS_2_WARNING': '1'}
    ended = subprocess.run(build, cwd=ROOT, env=env, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return folder


class Fetched(HTMLParser):
    def __init__(self):
        super().__init__()
        self.urls = []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag in FETCHED and attrs.get('rel') != 'canonical':
            self.urls.append(attrs.get(FETCHED[tag]) or '')


def fetched(page):
    parser = Fetched()
    parser.feed(page.read_text())
    return parser.urls


@pytest.mark.slow
def test_no_page_fetches_from_a_server(site):
    pages = list(site.rglob('*.html'))
    assert {'index.html', 'method.html', 'new-head.html'} <= {page.name for page in pages}
    urls = {page.name: fetched(page) for page in pages}
    assert any('iframe-worker' in url for url in urls['index.html'])
    assert {n: u for n, us in urls.items() for u in us if re.match(r'(\w+:)?//', u)} == {}
    sheets = ''.join(path.read_text() for path in site.rglob('*.css'))
    assert re.findall(r'url\(["\']?https?:|@import[^;]*https?:', sheets) == []


@pytest.mark.slow
def test_equations_are_drawn_without_a_script(site):
    page = (site / 'method.html').read_text()
    # Three blocks of those of the page have a sum.
    assert len(re.findall(r'<math[^>]*display="block"', page)) == 4
    assert r'\sum' not in page and 'arithmatex' not in page


@pytest.mark.slow
def test_passages_of_the_readme_and_linked_files_are_in_the_site(site):
    home, method = ((site / name).read_text() for name in ('index.html', 'method.html'))
    for page in (home, method):
        assert '<strong>When to try it</strong>' in page and 'README.md' not in page
    assert '<code>hard_ratio</code> or <code>num_hard</code>' in method
    (link,) = re.findall(r'href="(source/[^"]*rank\.py\.html)"', method)
    assert 'class="nf">loss_rank<' in (site / link).read_text()


@pytest.mark.slow
def test_the_api_has_what_the_package_makes_public(site):
    import mmdet_lrm

    pages = {path.name: path.read_text() for path in (site / 'api').glob('*.html')}
    headings = {
        name: re.findall(r'<h2 id="mmdet_lrm\.([\w.]+)"', text) for name, text in pages.items()
    }
    assert [name for name, found in headings.items() if not found] == []
    found = Counter(each.split('.')[-1] for part in headings.values() for each in part)
    names = set(mmdet_lrm.__all__) - {'__version__'}
    assert {name: found[name] for name in names if found[name] != 1} == {}


@pytest.mark.slow
def test_roles_of_docstrings_are_left_out_and_dots_of_suffixes_are_not(site):
    pages = ''.join(path.read_text() for path in (site / 'api').glob('*.html'))
    assert ':class:<' not in pages and ':func:<' not in pages and '<code>.MinedHead' not in pages
    assert '<code>~' not in pages and '<code>evaluate</code>' in pages
    assert '<code>MinedHead</code>' in pages
    assert '<code>.weights</code>' in (site / 'darknet.html').read_text()


@pytest.mark.slow
def test_a_picture_opens_by_a_click(site):
    assert '<a href="plots/idea.png"><img ' in (site / 'method.html').read_text()


@pytest.mark.slow
def test_the_notebook_is_a_page_with_its_picture_and_table(site):
    page = (site / 'first-steps.html').read_text()
    assert 'src="data:image/jpeg;base64,' in page and '<td>yolov2-tiny_kitti</td>' in page
    assert 'href="first-steps.html"' in (site / 'start.html').read_text()


@pytest.mark.slow
def test_a_browser_without_a_network_searches_the_site(site):
    browser = next(filter(None, map(shutil.which, ('chromium', 'google-chrome'))), None)
    if browser is None:
        pytest.skip('there is no chromium')
    options = ['--headless', '--no-sandbox', '--disable-gpu', '--virtual-time-budget=15000']
    options += ['--host-resolver-rules=MAP * ~NOTFOUND', '--dump-dom']
    url = f'file://{site}/index.html?q=thinning'
    found = subprocess.run([browser, *options, url], capture_output=True, text=True, timeout=300)
    assert re.search(r'class="md-search-result__link"[^>]*>.*The method', found.stdout)
