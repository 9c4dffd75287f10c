"""What the site has beside docs/, made while mkdocs builds it (a hook of mkdocs.yml).

- documents that lie elsewhere in the checkout: the configs, contributing, the changes; and the
  notebook, with what it shows;
- a page for each file or folder that a document links to, since no server holds them for a reader
  without a network;
- the API, from the docstrings of what the package's rooms make public;
- passages of the README, where a line is a link to it with the passage's first words as title;
- equations, in GitHub's `$`, as MathML, which browsers draw without a script.
"""

import ast
import html
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {
    'configs/README.md': 'configs.md',
    'CONTRIBUTING.md': 'contributing.md',
    'CHANGELOG.md': 'changes.md',
    'docs/first-steps.ipynb': 'first-steps.md',
}
BESIDE = 'package'  # of what lies beside the rooms
ROOMS = {
    BESIDE: 'Other parts',
    'mining': 'Mining',
    'heads': 'Heads',
    'darknet': "Darknet's parts",
    'kitti': 'KITTI',
    'study': 'Studies',
    'training': 'Training',
    'deploy': 'Deployment',
}
# What is called of a room that makes nothing public, so that importing it stays cheap.
CALLED = {
    'study': {
        'reading': ('read_study', 'compare'),
        'plan': ('Study', 'Variant', 'Run', 'make_plan', 'check_start'),
        'runs': ('run_all',),
        'records': ('Record', 'read_records'),
        'tables': ('differences', 'markdown'),
        'statistics': ('Difference', 'paired_over_seeds'),
    }
}
# Their tables need the room of the contents at the side.
WIDE = ('configs.md', 'heads.md', 'intervals.md', 'performance.md', 'results.md')
# Of Markdown: what a link shows, where it leads, and to which of its headings.
LINK = re.compile(r'(\]\()([^)#:\s]+)(#[^)\s]*)?(?=\))')
PASSAGE = re.compile(r'^\[.*\]\(\.\./README\.md\S* "(.+)"\)$', re.MULTILINE)
EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
PICTURE = re.compile(r'<img[^>]* src="([\w./-]+)"[^>]*>')
OF_SPHINX = re.compile(r':(?:class|func|meth|mod|attr|data):(<code>)(?:~[\w.]*\.|\.*)|:(?=:</p>)')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that docs/ does not hold."""
    for source, page in ELSEWHERE.items():
        files.append(made(config, page, markdown_of(ROOT / source), InclusionLevel.INCLUDED))
    for room, title in ROOMS.items():
        text = api(room, title)
        files.append(made(config, f'api/{room}.md', text, InclusionLevel.INCLUDED))
    documents = [*(ROOT / 'docs').glob('*.md'), *(ROOT / source for source in ELSEWHERE)]
    for path in sorted({path for document in documents for path in outside(document)}):
        files.append(made(config, page_of(path), listing(path), InclusionLevel.NOT_IN_NAV))
    return files


def made(config: MkDocsConfig, page: str, text: str, inclusion: InclusionLevel) -> File:
    return File.generated(config, page, content=text, inclusion=inclusion)


def markdown_of(document: Path) -> str:
    """A document's text; of a notebook its cells, and below each what it shows."""
    text = document.read_text()
    if document.suffix != '.ipynb':
        return text
    parts = []
    for cell in json.loads(text)['cells']:
        source = ''.join(cell['source'])
        parts.append(source if cell['cell_type'] == 'markdown' else f'```python\n{source}\n```')
        parts += map(markdown_of_output, cell.get('outputs', ()))
    return '\n\n'.join(parts)


def markdown_of_output(output: dict) -> str:
    data = output.get('data', {})
    if 'image/jpeg' in data:
        return f'<img alt="what the cell shows" src="data:image/jpeg;base64,{data["image/jpeg"]}">'
    if 'text/markdown' in data:
        return ''.join(data['text/markdown'])
    return f'```text\n{"".join(output["text"])}\n```'


def outside(document: Path) -> Iterator[str]:
    """What a document links to that is no page by itself, as paths in the checkout."""
    for _, link, _ in LINK.findall(document.read_text()):
        path = place(document.relative_to(ROOT), link)
        if page_of(path).startswith('source/'):
            yield path


def place(document: PurePosixPath, link: str) -> str:
    """Where a link of a document leads, from the root of the checkout."""
    return os.path.normpath(document.parent / link)


def page_of(path: str) -> str:
    """The page, or picture, of the site for a path in the checkout."""
    if path in ELSEWHERE:
        return ELSEWHERE[path]
    if path == 'README.md':
        return 'index.md'
    inside = PurePosixPath(path)
    if inside.parts[0] == 'docs':
        return str(inside.relative_to('docs'))
    return f'source/{path}.md'


def listing(path: str) -> str:
    """A page with what is in a file, or with the names in a folder; searching leaves it out."""
    where, head = ROOT / path, f'---\nsearch: {{exclude: true}}\n---\n# {path}\n\n'
    if where.is_dir():
        return head + '\n'.join(f'- `{each.name}`' for each in sorted(where.glob('[!_.]*.*')))
    return f'{head}~~~~{where.suffix[1:]}\n{where.read_text()}\n~~~~\n'


def api(room: str, title: str) -> str:
    """A page of the names that the package makes public from a room, or from beside them."""
    package = ROOT / 'mmdet_lrm'
    found = defaultdict(list)
    for module, names in CALLED.get(room, {}).items():
        found[f'{room}.{module}'] += names
    sources = {'': package / '__init__.py', room: package / room / '__init__.py'}
    for prefix, file in sources.items():
        for node in ast.walk(ast.parse(file.read_text() if file.is_file() else '')):
            if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
                module = '.'.join(filter(None, (prefix, node.module)))
                if room_of(module, package) == room:
                    found[module] += [name.name for name in node.names if name.name[0] != '_']
    names = dict.fromkeys(
        f'mmdet_lrm.{module}.{name}' for module in found for name in sorted(found[module])
    )
    return f'# {title}\n\n' + '\n\n'.join(f'::: {name}' for name in names)


def room_of(module: str, package: Path) -> str | None:
    """Of a module of the package; None of a room itself, whose own modules are looked through."""
    if '.' in module:
        return module.split('.')[0]
    return BESIDE if (package / f'{module}.py').is_file() else None


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put passages of the README in their place, and let links lead to the pages of the site."""
    here = page.file.src_uri
    if here in WIDE:
        page.meta['hide'] = ['toc']
    if here.startswith(('api/', 'source/')):
        return markdown
    origins = {page: path for path, page in ELSEWHERE.items()}
    with_passages = PASSAGE.sub(lambda found: passage(found[1], here), markdown)
    return linked(with_passages, origins.get(here, f'docs/{here}'), here)


def passage(words: str, here: str) -> str:
    """The README from these words to the next empty line, in a page."""
    readme = (ROOT / 'README.md').read_text()
    if words not in readme:
        raise PluginError(f'{here} takes the passage {words!r} of README.md, which lacks it')
    return linked(readme[readme.index(words) :].split('\n\n')[0], 'README.md', here)


def linked(markdown: str, document: str, here: str) -> str:
    """The text of a document of the checkout with its links as a page of the site needs them."""

    def to_page(found: re.Match) -> str:
        target = page_of(place(PurePosixPath(document), found[2]))
        return found[1] + os.path.relpath(target, os.path.dirname(here) or '.') + (found[3] or '')

    return LINK.sub(to_page, markdown)


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Draw equations, open pictures by a click, and leave out what docstrings have for Sphinx."""

    def drawn(found: re.Match) -> str:
        display = 'block' if found[1] == 'div' else 'inline'
        return convert(html.unescape(found[2]), display=display)

    content = PICTURE.sub(r'<a href="\1">\g<0></a>', content)
    return OF_SPHINX.sub(r'\1', EQUATION.sub(drawn, content))
