"""Tables and plots in the project's documents, made anew from ``results/*.json``.

A document holds

- ``<!-- table of results/NAME.json: title = metric, ... -->``: a row a method, with the differences
  in the first metric, up to ``<!-- end of table -->``;
- ``<!-- summary of results -->``, the main variants of all studies, up to ``<!-- end of summary
  -->``;
- ``<!-- performance: GROUP -->``, the rows of a group in ``results/performance.json``, up to
  ``<!-- end of performance -->``;
- links to ``plots/NAME-KIND.png``, a kind of :data:`.plots.KINDS`, to ``plots/summary.png``, and to
  ``plots/performance.png``.

Records are ``results/NAME.json``, or the finished parts of it in ``results/parts``.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from ..training.files import write_whole
from . import performance, plots, report, summary, tables
from .records import Record, names_of_records, records_of

DOCUMENTS = ('README.md', 'configs/README.md', 'docs/*.md')
BLOCK = re.compile(
    r'(?P<begin><!-- (?:table of (?P<file>\S+): (?P<columns>[^>]*?)|'
    r'(?P<all>summary of results)|performance: (?P<group>[^>]*?)) -->\n)'
    r'.*?(?P<end><!-- end of (?:table|summary|performance) -->)',
    re.DOTALL,
)
PLOT = re.compile(
    rf'\((?P<path>(?:[\w./-]+/)?plots/(?:(?P<name>[\w-]+)-(?P<kind>{"|".join(plots.KINDS)})|'
    r'(?P<whole>summary|performance))\.png)\)'
)
PERFORMANCE = 'performance'
# Of results/*.json: which heads take LRMElementLoss, what docs/reliability.md counts, and how fast
# it is.
NO_RECORDS = ('heads', 'fuzzing', 'matrix', 'training_parts', PERFORMANCE)
# And what `make demo` shows on drawn images.
NO_STUDIES = (*NO_RECORDS, 'make_demo')
# Studies of what a comparison can see, of what makes a training faster, and of what else gains.
OF_NO_MINING = ('bccd_itself', 'bccd_fewer_labels', 'bccd_channels_last', 'bloodpbc_instead')


def project_root(start: Path) -> Path:
    """The folder of the project that holds a path.

    Raises:
        ReportError: none does.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / 'results').is_dir() and (folder / 'configs').is_dir():
            return folder
    raise tables.ReportError(
        f"no folder above '{start}' holds results/ and configs/; documents are rendered in a "
        'checkout of the project'
    )


def find_documents(root: Path) -> list[Path]:
    return [file for pattern in DOCUMENTS for file in sorted(root.glob(pattern))]


def rendered(text: str, document: Path, root: Path) -> str:
    """A document's text with its tables made anew.

    Raises:
        ReportError: a table asks for records that are not there, or its columns cannot be read.
    """
    configs = f'{os.path.relpath(root / "configs", document.parent)}/'

    def table(block: re.Match) -> str:
        if block['all']:
            made = summary.markdown(all_gains(root))
        elif block['group']:
            made = performance.markdown(measured(document, root).rows, block['group'])
        else:
            columns = read_columns(block['columns'], document)
            made = tables.markdown(recorded(root / block['file'], document), columns, configs)
        return block['begin'] + made + block['end']

    return BLOCK.sub(table, text)


def read_columns(text: str, document: Path) -> dict[str, str]:
    """Metrics by title, of ``title = metric, ...``."""
    pairs = [pair.split('=') for pair in text.split(',')]
    if any(len(pair) != 2 for pair in pairs):
        raise tables.ReportError(
            f"{document}: a table has the columns '{text}'; give title = metric, ..."
        )
    return {title.strip(): name.strip() for title, name in pairs}


def recorded(path: Path, document: Path) -> list[Record]:
    found = records_of(path.stem, path.parent)
    if not found:
        raise tables.ReportError(f"{document} shows '{path}', which is no file of records")
    return found


def measured(document: Path, root: Path) -> performance.Performance:
    path = root / 'results' / f'{PERFORMANCE}.json'
    if not path.is_file():
        raise tables.ReportError(
            f"{document} shows '{path}', which is not there; benchmarks/performance.py writes it"
        )
    return performance.read(path)


def all_gains(root: Path) -> list[summary.Gain]:
    """Of every study in results/ that compares ways to train, whole or in parts.

    What decides in a study, and which of many variants it tells, are ``metric`` and ``main`` (a
    list of labels) in its file, ``configs/studies/NAME.py``, where it has them.
    """
    found = []
    for study in names_of_records(root / 'results'):
        if study not in (*NO_STUDIES, *OF_NO_MINING):
            told = told_by(study, root)
            records = records_of(study, root / 'results')
            found += summary.gains(study, records, told.get('metric'), told.get('main', ()))
    return found


def told_by(study: str, root: Path) -> Mapping[str, object]:
    """What the file of a study sets; nothing without one."""
    file = root / 'configs' / 'studies' / f'{study}.py'
    return Config.fromfile(file) if file.is_file() else {}


def render(start: Path) -> list[Path]:
    """Write the tables and plots of all documents of the project that holds ``start``.

    Returns:
        What was written: the documents whose tables changed, and all plots.
    """
    root, written = project_root(start), []
    for document in find_documents(root):
        text = document.read_text()
        files = {} if (new := rendered(text, document, root)) == text else {document: new}
        for path, name, kind, whole in sorted(set(PLOT.findall(text))):
            files[document.parent / path] = plots.png(draw(name or whole, kind, document, root))
        for file, content in files.items():
            file.parent.mkdir(exist_ok=True)
            write_whole(file, content)
        written += files
    return written


def draw(name: str, kind: str, document: Path, root: Path) -> plots.Figure:
    """The picture of a link, of the kind of a study's or one by its name alone."""
    if not kind and name == PERFORMANCE:
        return performance.draw(measured(document, root).curve)
    if not kind:
        return summary.draw(all_gains(root))
    records = recorded(root / 'results' / f'{name}.json', document)
    metric = told_by(name, root).get('metric') or next(iter(report.columns(records).values()))
    figure = plots.KINDS[kind](records, metric)
    if figure is None:
        raise tables.ReportError(f'{document} shows {name}-{kind}.png; its records have no {kind}')
    return figure
