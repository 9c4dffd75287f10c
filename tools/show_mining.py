"""Draw what Loss Rank Mining makes of images, with a config of yours, before or after training.

python tools/show_mining.py configs/yolov2_lrm_kitti.py data/kitti/training/image_2/000010.png
    as a training would begin
python tools/show_mining.py configs/yolov2_lrm_kitti.py work_dirs/yolov2_lrm_kitti/epoch_160.pth \\
        data/kitti/training/image_2/000010.png --out pictures

Truths are those of the config's data sets, if the image is in one of them; an image without truths
is background everywhere. --cfg-options model.bbox_head.lrm.hard_ratio=0.05 tries another option.
"""

import argparse
from pathlib import Path

import installed  # noqa: F401

from mmdet_lrm import launch
from mmdet_lrm.launch.showing import show


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage='%(prog)s CONFIG [CHECKPOINT.pth] IMAGE... [--out DIR] [--cfg-options KEY=VALUE ...]',
    )
    parser.add_argument('config', help='a config file whose head has lrm')
    parser.add_argument('files', nargs='+', type=Path, help=argparse.SUPPRESS)
    parser.add_argument('--out', dest='work_dir', default='work_dirs/mining', metavar='DIR')
    parser.add_argument('--cfg-options', nargs='+', action=launch.Settings, metavar='KEY=VALUE')
    parser.add_argument(
        '--trust-checkpoint', action='store_true', help='run the code in it, if any'
    )
    parser.set_defaults(launcher='none', local_rank=0)
    args = parser.parse_args()
    first, *rest = args.files
    checkpoint, images = (first, rest) if first.suffix == '.pth' else (None, args.files)
    if not images:
        parser.error('name an image')
    for path, words in show(launch.load_config(args), checkpoint, images):
        print(f'{path}: {words}')


if __name__ == '__main__':
    launch.program(main)
