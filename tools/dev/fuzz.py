"""Put hostile inputs to each reader of files and texts, and count what is not a documented error.

python tools/dev/fuzz.py                          one minute for each reader
python tools/dev/fuzz.py cfg zips --seconds 600   ten more minutes for two of them
python tools/dev/fuzz.py --tries 1000000          until each has had so many, in all
python tools/dev/fuzz.py --render                 the table of the record

With `pip install atheris` inputs are guided by the code that they reach, else they are mutations
of whole ones. What has been tried stays in --folder, and the next start goes on from there; how
many in all stands in results/fuzzing.json and, as a table, in docs/reliability.md.
"""

import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path

from trials import so_far, try_reader
from written_tables import put_table, record_of, write_record

RECORD = 'fuzzing'
READERS = {
    'cfg': '`.cfg`',
    'weights': '`.weights`',
    'labels': 'KITTI labels',
    'results': 'KITTI results',
    'splits': 'lists of splits',
    'zips': 'zip files of KITTI',
    'records': 'records of studies',
    'studies': '`--variants`, `--grid`',
    'checkpoints': 'checkpoints',
    'settings': '`--cfg-options`',
}


def table(record: dict) -> Iterator[str]:
    yield '| reader of | inputs | faults |'
    yield '| --- | ---: | ---: |'
    for name, title in READERS.items():
        found = record[name]
        yield f'| {title} | {found["tries"]:,} | {sum(found["faults"].values())} |'
    yield f'| all | {sum(found["tries"] for found in record.values()):,} | |'


def try_one(name: str, folder: Path, tries: int, seconds: float) -> dict:
    """What came out of tries of a reader, in a process of its own; ``faults`` are the folder's."""
    before = so_far(name, folder)
    process = multiprocessing.get_context('fork').Process(
        target=try_reader, args=(name, folder, before['tries'] + tries, seconds)
    )
    process.start()
    process.join()
    after = so_far(name, folder)
    if process.exitcode:
        after['faults'][f'ended with {process.exitcode}'] = 1
    return dict(tries=after['tries'] - before['tries'], faults=after['faults'])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('readers', nargs='*', help=f'of {", ".join(READERS)}; all by default')
    parser.add_argument('--seconds', type=float, default=60, help='for each reader, this time')
    parser.add_argument('--tries', type=int, default=sys.maxsize, help='of each reader, in all')
    parser.add_argument('--folder', type=Path, default='fuzzing', help='of what has been tried')
    parser.add_argument('--render', action='store_true', help='the table of the record alone')
    args = parser.parse_args()
    if unknown := set(args.readers) - set(READERS):
        parser.error(f'no reader is called {", ".join(unknown)}; there are {", ".join(READERS)}')
    args.folder.mkdir(parents=True, exist_ok=True)
    record = json.loads(record_of(RECORD).read_text())
    for name in [] if args.render else args.readers or READERS:
        recorded = record[name]
        if recorded['tries'] < args.tries:
            found = try_one(name, args.folder, args.tries - recorded['tries'], args.seconds)
            recorded['tries'] += found['tries']
            recorded['faults'] = found['faults']
            write_record(RECORD, record)
            put_table('inputs', table(record))
        print(f'{name}: {recorded["tries"]:,} tries, faults: {recorded["faults"] or "none"}')
    if args.render:
        put_table('inputs', table(record))
    sys.exit(any(recorded['faults'] for recorded in record.values()))


if __name__ == '__main__':
    main()
