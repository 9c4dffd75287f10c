"""Evaluate KITTI result files as the official development kit does, on a CPU, without mmdet."""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ['MMDET_LRM_UNREGISTERED'] = str(os.getpid())  # it needs neither torch nor mmdet
import installed  # noqa: F401
from terminaltables import AsciiTable

from mmdet_lrm.kitti.evaluation import evaluate_folders, table_rows


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('gt_dir', help='folder of the official label files, 000123.txt')
    parser.add_argument('det_dir', help='folder of result files, 000123.txt, 16 columns')
    parser.add_argument('--json', metavar='OUT', help='write AP11 and AP40, in percent, to OUT')
    parser.add_argument(
        '--split',
        metavar='FILE',
        help='evaluate the frames of this list; without it those that have a result file',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        results = evaluate_folders(args.gt_dir, args.det_dir, args.split)
        print(AsciiTable(table_rows(results)).table)
        if args.json:
            aps = {
                name: {
                    level: {ap: values[ap] for ap in ('AP11', 'AP40')}
                    for level, values in levels.items()
                }
                for name, levels in results.items()
            }
            whole = Path(f'{args.json}.partial')
            whole.write_text(json.dumps(aps, indent=1) + '\n')
            os.replace(whole, args.json)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
