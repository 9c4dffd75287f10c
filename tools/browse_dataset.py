"""See the data of a config: its images with boxes, difficulty and what is ignored, as files.

python tools/browse_dataset.py configs/yolov2_kitti.py --out work_dirs/browse
    as the files have them; --input shows what the network gets, augmented

What is ignored is grey. Beside the class stands KITTI's difficulty (none: harder than hard), and
for other data COCO's name for the size of the box.
"""

import argparse
from pathlib import Path

import installed  # noqa: F401
import numpy as np
from mmdet.registry import DATASETS
from mmengine.registry import init_default_scope
from PIL import Image
from tqdm import tqdm

from mmdet_lrm import launch
from mmdet_lrm.launch.browsing import pictures


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train')
    parser.add_argument('--images', type=int, default=20, help='how many, spread over the split')
    parser.add_argument('--input', action='store_true', help='as the pipeline makes them')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/browse'))
    parser.add_argument(
        '--cfg-options', nargs='+', action=launch.Settings, default={}, metavar='KEY=VALUE'
    )
    args = parser.parse_args()
    if args.images < 1:
        parser.error(f'--images is {args.images}; it must be at least 1')
    return args


def main() -> None:
    args = parse_args()
    path = launch.config_path(args.config)
    launch.require_file('config', path)
    cfg = launch.load_with_settings(path, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    loader = f'{args.split}_dataloader'
    launch.require_data(cfg, loader)
    launch.check_data(cfg, loader)
    dataset = DATASETS.build(cfg[loader].dataset)
    chosen = np.unique(np.linspace(0, len(dataset) - 1, args.images).round().astype(int)).tolist()
    args.out.mkdir(parents=True, exist_ok=True)
    bar = tqdm(pictures(dataset, chosen, args.input), total=len(chosen), unit='image', disable=None)
    for name, picture in bar:
        Image.fromarray(picture).save(args.out / f'{Path(name).name}.png')
    print(f'{len(chosen)} of {len(dataset)} images: {args.out}')


if __name__ == '__main__':
    launch.program(main)
