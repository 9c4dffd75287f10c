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
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from cells import run_cell
from environment import ROOT, STACKS
from missing import NEWEST_PYTHON, OLDEST_PYTHON
from written_tables import put_table, record_of, write_record

RECORD = 'matrix'
PYTHONS = [f'3.{minor}' for minor in range(OLDEST_PYTHON[1], NEWEST_PYTHON[1] + 1)]
TESTS = ['-m', 'not slow', '--numprocesses', 'auto', '--dist', 'loadfile']  # as `make test`


def table(cells: dict) -> Iterator[str]:
    """Of cells by 'Python stack'."""
    yield '| Python | stack | passed | skipped | failed | tests |'
    yield '| --- | --- | ---: | ---: | ---: | --- |'
    for cell in sorted(cells, key=lambda cell: (int(cell.split()[0][2:]), cell)):
        found, (python, stack) = cells[cell], cell.split()
        passed, skipped = found.get('passed', 0), found.get('skipped', 0)
        note = f'without torch: {found["lacks"]}' if 'lacks' in found else 'all'
        yield f'| {python} | {stack} | {passed:,} | {skipped} | {len(found["failed"])} | {note} |'


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
    path = record_of(RECORD)
    cells = json.loads(path.read_text()) if recorded and path.exists() else {}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for so_far in () if args.render else run(args, cells):
            if recorded:
                # The tests of the next cell compare the page with its record.
                write_record(RECORD, so_far)
                put_table('the matrix', table(so_far))
    except KeyboardInterrupt:
        sys.exit('interrupted; the same command goes on with the cell that it was at')
    print('\n'.join(table(cells)))
    if args.render:
        put_table('the matrix', table(cells))
    sys.exit(any(found['failed'] for found in cells.values()))


if __name__ == '__main__':
    main()
