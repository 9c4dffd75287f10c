"""Tell what trainings came to on one page, which opens anywhere: curves, errors, images, mining.

python tools/report.py work_dirs/yolov2-tiny_kitti work_dirs/yolov2-tiny_lrm_kitti
    the baseline, and any number of variants; of several seeds all work folders
python tools/report.py work_dirs/yolov2-tiny_kitti
    one training by itself
python tools/report.py work_dirs/benchmark/NAME
    a study of tools/benchmark.py; also by its file, configs/studies/NAME.py, or its records,
    results/NAME.json, with curves and images as far as its work folder is left

Prints the errors of detections by type, and the AP by the number of neighbours. A checkpoint whose
detections were not kept is evaluated once. docs/reading-the-report.md tells how to read the page.
"""

import argparse
from pathlib import Path

import installed  # noqa: F401

from mmdet_lrm import launch
from mmdet_lrm.study import report_page, sources


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('paths', nargs='+', type=Path, metavar='WORK_DIR', help='or a study')
    parser.add_argument(
        '--out', type=Path, metavar='FILE.html', help='the page; without it report.html, beside'
    )
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/benchmark'))
    parser.add_argument('--results', type=Path, default=Path('results'), help='folder of records')
    args = parser.parse_args()
    if args.out and args.out.suffix != '.html':
        parser.error(f"--out is '{args.out}'; it must end in .html")
    source = sources.find(args.paths, args.results, args.work_dir)
    out = args.out or source.home / 'report.html'
    print(report_page.write(source, out))
    print(f'Report: {out}')


if __name__ == '__main__':
    launch.program(main)
