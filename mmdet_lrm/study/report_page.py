"""A report on trainings: looked at, told on one page, and in a few tables."""

from dataclasses import replace
from pathlib import Path

from mmengine.logging import MMLogger

from ..training.files import write_whole
from .looking import look_at, with_errors
from .page import Table, render
from .sections import crowd_table, error_tables, not_compared, sections
from .sources import Source
from .tables import typeset


def write(source: Source, file: Path) -> str:
    """Write the page; the tables of errors, for a terminal, after why nothing is compared.

    Runs whose work folder is there are looked at; a checkpoint without detections is evaluated,
    which a bar tells, and kept beside it.

    Raises:
        UserError: data or a checkpoint are missing, or are not what they should be.
    """
    # Models say how each of their layers is initialised.
    MMLogger.get_instance('report', log_level='WARNING')
    looks = look_at(source)
    source = replace(source, records=with_errors(source, looks))
    page = render(f'Report: {source.title}', sections(source, looks))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, page)
    found = [*error_tables(source.records), *crowd_table(source.records, source.metric)]
    told = not_compared(source)
    return '\n'.join([*([f'{told}\n'] if told else []), *map(as_text, found)])


def as_text(table: Table) -> str:
    rows = [[cell.replace('\n', ', ') for cell in row] for row in table.rows]
    return f'{table.caption}\n\n{typeset(table.titles, rows)}'
