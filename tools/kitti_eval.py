"""Evaluate KITTI result files as the official development kit does, on a CPU, without mmdet."""

import argparse
import importlib.util
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# Importing mmdet_lrm registers its modules, for which it imports mmdet and torch: 6 s, and neither
# is needed here. So the packages are entered in sys.modules without being run.
for _name in ('mmdet_lrm', 'mmdet_lrm.kitti'):
    if _name not in sys.modules:
        sys.modules[_name] = importlib.util.module_from_spec(importlib.util.find_spec(_name))

from terminaltables import AsciiTable  # noqa: E402

from mmdet_lrm.kitti.evaluation import evaluate_folders, table_rows  # noqa: E402


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
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
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(AsciiTable(table_rows(results)).table)
    if args.json:
        aps = {
            name: {
                level: {ap: values[ap] for ap in ('AP11', 'AP40')}
                for level, values in levels.items()
            }
            for name, levels in results.items()
        }
        Path(args.json).write_text(json.dumps(aps, indent=1) + '\n')


if __name__ == '__main__':
    main()
