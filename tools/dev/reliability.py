"""The tables of docs/reliability.md, and the records that they come from; standard library only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / 'docs' / 'reliability.md'


def put_table(name: str, lines: Iterable[str], document: Path = DOCUMENT) -> None:
    """Write a table between ``<!-- table of NAME -->`` and ``<!-- end of table of NAME -->``."""
    between = re.compile(
        rf'(?<=<!-- table of {name} -->\n).*?(?=<!-- end of table of {name} -->)', re.DOTALL
    )
    table = ''.join(f'{line}\n' for line in lines)
    text, found = between.subn(lambda _: table, document.read_text())
    if found != 1:
        raise ValueError(f'{document} has {found} places for a table of {name}; it must have one')
    write(document, text)


def record_of(name: str) -> Path:
    return ROOT / 'results' / f'{name}.json'


def write_record(name: str, content: object) -> None:
    write(record_of(name), json.dumps(content, indent=1) + '\n')


def write(path: Path, text: str) -> None:
    """Beside, then renamed."""
    part = path.with_suffix('.part')
    part.write_text(text)
    part.replace(path)
