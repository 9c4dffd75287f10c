"""Tables that programs of this folder write into documents, and their records.

Standard library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / 'docs' / 'reliability.md'


def put_table(name: str, lines: Iterable[str], document: Path = DOCUMENT) -> None:
    """Write a table in the place of the one between the marks of its name."""
    before, _, after = around_table(name, document)
    write(document, before + ''.join(f'{line}\n' for line in lines) + after)


def around_table(name: str, document: Path = DOCUMENT) -> tuple[str, str, str]:
    """A document up to ``<!-- table of NAME -->``, from there to ``<!-- end of table of NAME -->``,
    and the rest.

    Raises:
        ValueError: it has none of these marks, or several.
    """
    begin, end = f'<!-- table of {name} -->\n', f'<!-- end of table of {name} -->'
    between = re.compile(rf'(?<={re.escape(begin)}).*?(?={re.escape(end)})', re.DOTALL)
    text = document.read_text()
    found = list(between.finditer(text))
    if len(found) != 1:
        raise ValueError(
            f'{document} has {len(found)} places for a table of {name}; it must have one, between '
            f"the lines '{begin.strip()}' and '{end}'"
        )
    (table,) = found
    return text[: table.start()], table[0], text[table.end() :]


def record_of(name: str) -> Path:
    return ROOT / 'results' / f'{name}.json'


def write_record(name: str, content: object) -> None:
    write(record_of(name), json.dumps(content, indent=1) + '\n')


def write(path: Path, text: str) -> None:
    """Beside, then renamed."""
    part = path.with_suffix('.part')
    part.write_text(text)
    part.replace(path)
