"""Bring networks of darknet to MMDetection, and back.

python tools/darknet.py import yolov2-voc.cfg yolov2-voc.weights --out yolov2-voc
    writes yolov2-voc.py and yolov2-voc.pth, which mmdet's DetInferencer takes at once
python tools/darknet.py import darknet19.cfg darknet19_448.conv.23 --backbone --out darknet19
    writes darknet19.pth, to be named in `backbone.init_cfg`, of a file that may end early
python tools/darknet.py export CONFIG CHECKPOINT --out name
    writes name.cfg, name.weights and name.names

Both compare the maps of what they wrote with an independent reading, and leave nothing if it
disagrees.
"""

import argparse
import sys
import warnings
from pathlib import Path

import installed  # noqa: F401

from mmdet_lrm.darknet.files import export_network, import_backbone, import_network
from mmdet_lrm.launch import program


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest='command', required=True)
    into = commands.add_parser('import', help='from .cfg and .weights')
    into.add_argument('cfg', type=Path)
    into.add_argument('weights', type=Path)
    into.add_argument('--out', type=Path, required=True, metavar='NAME')
    into.add_argument(
        '--names', type=Path, help="a class a line, as darknet's data/voc.names; else VOC or COCO"
    )
    into.add_argument('--backbone', action='store_true', help='the layers below the detection only')
    into.add_argument(
        '--letterbox',
        action='store_true',
        help='keep the aspect ratio of images, as darknet does since 2017, instead of stretching',
    )
    back = commands.add_parser('export', help='to .cfg and .weights')
    back.add_argument('config')
    back.add_argument('checkpoint', type=Path)
    back.add_argument('--out', type=Path, required=True, metavar='NAME')
    for command in (into, back):
        command.add_argument('--force', action='store_true', help='replace files that exist')
        command.add_argument(
            '--no-verify',
            dest='verify',
            action='store_false',
            help='do not compare with an independent reading',
        )
    return parser.parse_args(arguments)


def main() -> None:
    args = parse_args()
    with warnings.catch_warnings():
        warnings.showwarning = show_warning
        written = run(args)
    print('wrote', ', '.join(map(str, written)))


def run(args: argparse.Namespace) -> list[Path]:
    common = dict(force=args.force, verify=args.verify, say=print)
    if args.command == 'export':
        return export_network(args.config, args.checkpoint, args.out, **common)
    if args.backbone:
        return import_backbone(args.cfg, args.weights, args.out, **common)
    return import_network(
        args.cfg, args.weights, args.out, args.names, letterbox=args.letterbox, **common
    )


def show_warning(message: Warning, *_: object, **__: object) -> None:
    print(f'warning: {message}', file=sys.stderr)


if __name__ == '__main__':
    program(main, OSError)
