"""Run the tests on both stacks and each Python, in environments of their own, and print a matrix.

python3 tools/dev/matrix.py                        what has not been run yet; standard library only
python3 tools/dev/matrix.py --pythons 3.11 --again
python3 tools/dev/matrix.py -- -m slow tests/heads      other tests, which are not recorded
python3 tools/dev/matrix.py --render               the table of the record, into the document

Where there is no torch or mmcv for a Python, what needs neither is tested. Cut off, the next start
goes on. Logs and environments stay in --folder, what came out in results/matrix.json.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from cells import run_cell
from environment import ROOT, STACKS
from missing import NEWEST_PYTHON, OLDEST_PYTHON

RECORD = ROOT / 'results' / 'matrix.json'
DOCUMENT = ROOT / 'docs' / 'reliability.md'
TABLE = re.compile(
    r'(?<=<!-- table of the matrix -->\n).*?(?=<!-- end of table of the matrix -->)', re.DOTALL
)
PYTHONS = [f'3.{minor}' for minor in range(OLDEST_PYTHON[1], NEWEST_PYTHON[1] + 1)]
TESTS = ['-m', 'not slow']


def matrix(cells: dict) -> str:
    """A Markdown table of cells by 'Python stack'."""
    return '\n'.join(rows(cells)) + '\n'


def rows(cells: dict) -> Iterator[str]:
    yield '| Python | stack | passed | skipped | failed | tests |'
    yield '| --- | --- | ---: | ---: | ---: | --- |'
    for cell in sorted(cells, key=lambda cell: (int(cell.split()[0][2:]), cell)):
        found, (python, stack) = cells[cell], cell.split()
        passed, skipped = found.get('passed', 0), found.get('skipped', 0)
        note = f'without torch: {found["lacks"]}' if 'lacks' in found else 'all'
        yield f'| {python} | {stack} | {passed:,} | {skipped} | {len(found["failed"])} | {note} |'


def write(path: Path, text: str) -> None:
    part = path.with_suffix('.part')
    part.write_text(text)
    part.replace(path)


def run(args: argparse.Namespace, cells: dict) -> Iterator[dict]:
    """The cells so far, after each that was run."""
    for python in args.pythons:
        for stack in args.stacks:
            cell = f'{python} {stack}'
            if cell not in cells or args.again:
                folder = args.folder.absolute() / cell.replace(' ', '-')
                cells[cell] = run_cell(python, stack, folder, args.tests)
                print(f'{cell}: {cells[cell]}', flush=True)
                yield cells


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--pythons', nargs='+', default=PYTHONS, choices=PYTHONS)
    parser.add_argument('--stacks', nargs='+', default=[*STACKS], choices=[*STACKS])
    parser.add_argument('--folder', type=Path, default=ROOT / 'work_dirs' / 'matrix')
    parser.add_argument('--again', action='store_true', help='also what has been run')
    parser.add_argument('--render', action='store_true', help='the table alone')
    parser.add_argument('tests', nargs='*', help="pytest's arguments, instead of -m 'not slow'")
    args = parser.parse_args()
    recorded = not args.tests
    args.tests = args.tests or TESTS
    cells = json.loads(RECORD.read_text()) if recorded and RECORD.exists() else {}
    for so_far in () if args.render else run(args, cells):
        if recorded:
            write(RECORD, json.dumps(so_far, indent=1) + '\n')
    print(matrix(cells), end='')
    if recorded:
        write(DOCUMENT, TABLE.sub(lambda _: matrix(cells), DOCUMENT.read_text()))
    sys.exit(any(found['failed'] for found in cells.values()))


if __name__ == '__main__':
    main()
