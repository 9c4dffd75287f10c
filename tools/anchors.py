"""Priors for the boxes of a config's training set, at its input size.

python tools/anchors.py configs/yolov2_kitti.py
python tools/anchors.py configs/yolov3_kitti.py --num 9 --out priors.png

Prints the mean IoU of the boxes with their best prior, for the config's own priors and for the new
ones, and the lines to paste into the config. --out draws boxes and priors.
"""

import argparse
from pathlib import Path

import installed  # noqa: F401
import numpy as np
from mmengine.registry import init_default_scope

from mmdet_lrm.darknet.boxes import box_sizes, input_size, own_priors
from mmdet_lrm.darknet.priors import by_level, cluster, counts_by_level, draw, mean_iou
from mmdet_lrm.launch import Settings, program, read_config, require_data


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='a config file, such as configs/yolov2_kitti.py')
    parser.add_argument('--num', type=int, help="priors of all levels; without it the config's")
    parser.add_argument(
        '--scale', type=int, nargs=2, metavar=('W', 'H'), help="input size; without it the config's"
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--mutations', type=int, default=600, help='0 for plain k-means')
    parser.add_argument('--out', type=Path, help='a .png of the boxes and priors')
    parser.add_argument('--cfg-options', nargs='+', action=Settings, metavar='KEY=VALUE')
    args = parser.parse_args(arguments)
    if args.scale and min(args.scale) < 1:
        parser.error(f'--scale is {args.scale[0]} {args.scale[1]}; both must be 1 px at least')
    return args


def main(arguments: list[str] | None = None) -> None:
    args = parse_args(arguments)
    cfg = read_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    require_data(cfg, 'train_dataloader')
    dataset = cfg.train_dataloader.dataset
    scale = tuple(args.scale) if args.scale else input_size(dataset)
    own = own_priors(cfg)
    counts = counts_by_level([len(level) for level in own], args.num)
    sizes = box_sizes(dataset, scale)
    priors = cluster(sizes, sum(counts), args.seed, mutations=args.mutations)
    print(f'{len(sizes)} boxes of {args.config} at {scale[0]} x {scale[1]}')
    flat = np.array([size for level in own for size in level]) if own else None
    if own:
        print(f"mean IoU with the config's {len(flat)} priors: {mean_iou(sizes, flat):.4f}")
    print(f'mean IoU with the new {len(priors)} priors: {mean_iou(sizes, priors):.4f}')
    print('\nanchor_generator=dict(\n    base_sizes=[')
    for level in by_level(priors, counts):
        print(f'        {level},')
    print('    ],\n)')
    if args.out:
        draw(sizes, priors, flat).figure.savefig(args.out, dpi=120)
        print(f'\nwrote {args.out}')


if __name__ == '__main__':
    program(main)
