"""Time a detector from the files of pictures to boxes, in the forms it can be run in.

python tools/benchmark_fps.py CONFIG [CHECKPOINT] [--onnx MODEL.onnx] [--images IMAGE...]

Prints a table in ms a batch: medians of preprocessing, network and NMS, and percentiles of the
whole. A file of tools/export_onnx.py decodes within its network; one with --nms also ends there.
Without a checkpoint the weights are random, and the time of the NMS says nothing.
"""

import argparse
import json
from pathlib import Path

import installed  # noqa: F401
import torch

from mmdet_lrm import launch
from mmdet_lrm.deploy import timing
from mmdet_lrm.deploy.detector import ExportError
from mmdet_lrm.deploy.models import find_pictures, loading
from mmdet_lrm.deploy.preprocessing import preprocessing
from mmdet_lrm.launch.models import build_detector
from mmdet_lrm.training.files import write_whole


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('checkpoint', type=Path, nargs='?')
    parser.add_argument('--onnx', type=Path, nargs='+', default=[], metavar='MODEL.onnx')
    parser.add_argument('--images', type=Path, nargs='+', default=[], help='default: test dataset')
    parser.add_argument('--batch', type=positive, nargs='+', default=[1, 16])
    parser.add_argument('--repeats', type=positive, default=20, help='default %(default)s')
    parser.add_argument('--threads', type=positive, default=1, help='default %(default)s')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers as well')
    return parser.parse_args()


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f'{number} is not at least 1')
    return number


def main() -> None:
    args = parse_args()
    for path in (*args.onnx, *args.images):
        launch.require_file('file', path)
    torch.set_num_threads(args.threads)
    cfg = launch.read_config(args.config)
    pictures = args.images or find_pictures(cfg, max(args.batch))
    if not pictures:
        raise ExportError('the test dataset of the config is not here; name pictures by --images')
    if args.json and not args.json.parent.is_dir():
        raise ExportError(f"'{args.json}' cannot be written: there is no such folder")
    model = build_detector(cfg, args.checkpoint).to(args.device)
    exported = [
        timing.of_onnx(path, model, preprocessing(cfg, model.data_preprocessor)[:2], args.threads)
        for path in args.onnx
    ]
    forms = [*timing.forms(model), *exported]
    pipeline = loading(cfg)
    rows = [
        row
        for batch in args.batch
        for row in timing.measure(forms, model, pipeline, pictures, batch, args.repeats)
    ]
    print(timing.table(rows))
    if args.json:
        write_whole(args.json, json.dumps([row._asdict() for row in rows], indent=1))


if __name__ == '__main__':
    launch.program(main)
