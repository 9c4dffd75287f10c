"""Export a detector to one file of ONNX that decodes its boxes, and can contain the NMS.

python tools/export_onnx.py CONFIG CHECKPOINT --out model.onnx
python tools/export_onnx.py CONFIG CHECKPOINT --out model.onnx --nms

The file says how pictures are prepared for it; tools/run_onnx.py runs it without PyTorch. It is
written only if ONNX Runtime gives PyTorch's results on real pictures: the first of the test dataset
of the config, or those of --images.
"""

import argparse
from pathlib import Path

import installed  # noqa: F401

from mmdet_lrm import launch
from mmdet_lrm.deploy import export
from mmdet_lrm.deploy.exporting import DEFAULT_OPSET, OPSETS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('--out', type=Path, required=True, metavar='MODEL.onnx')
    parser.add_argument('--nms', action='store_true', help='put the NMS into the graph')
    parser.add_argument(
        '--opset',
        type=int,
        default=DEFAULT_OPSET,
        help=f'of ONNX, {OPSETS[0]} to {OPSETS[-1]}; default %(default)s',
    )
    parser.add_argument('--force', action='store_true', help='replace a file that exists')
    parser.add_argument(
        '--images', type=Path, nargs='+', default=[], help='pictures to compare the results on'
    )
    args = parser.parse_args()
    for path in args.images:
        launch.require_file('picture', path)
    cfg = launch.read_config(args.config)
    difference = export(
        cfg, args.checkpoint, args.out, args.nms, args.opset, args.force, args.images
    )
    print(f'wrote {args.out}; on real pictures it differs from PyTorch by at most {difference:.1e}')


if __name__ == '__main__':
    launch.program(main)
