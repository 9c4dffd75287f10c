"""Priors for the boxes of a config's training set, at its input size.

python tools/anchors.py configs/yolov2_kitti.py
python tools/anchors.py configs/yolov3_kitti.py --num 9 --out priors.png

Prints the mean IoU of the boxes with their best prior, for the config's own priors and for the new
ones, and the lines to paste into the config. --out draws boxes and priors.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from mmdet.registry import DATASETS, TASK_UTILS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

from mmdet_lrm.darknet.priors import by_level, cluster, mean_iou
from mmdet_lrm.launch import Settings, config_path, find_datasets, require_data


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
    return parser.parse_args(arguments)


def main() -> None:
    args = parse_args()
    cfg = Config.fromfile(config_path(args.config))
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    require_data(cfg, 'train_dataloader')
    dataset = cfg.train_dataloader.dataset
    scale = tuple(args.scale) if args.scale else resize_scale(dataset)
    sizes = box_sizes(dataset, scale)
    own = own_priors(cfg)
    counts = [len(level) for level in own] or [args.num or 5]
    num = args.num or sum(counts)
    if num % len(counts):
        sys.exit(f'error: --num is {num}, and the config has {len(counts)} levels of equal numbers')
    if num != sum(counts):
        counts = [num // len(counts)] * len(counts)
    try:
        priors = cluster(sizes, num, args.seed, mutations=args.mutations)
    except ValueError as error:
        sys.exit(f'error: {error}')
    print(f'{len(sizes)} boxes of {args.config} at {scale[0]} x {scale[1]}')
    if own:
        flat = np.array([size for level in own for size in level])
        print(f"mean IoU with the config's {len(flat)} priors: {mean_iou(sizes, flat):.4f}")
    print(f'mean IoU with the new {num} priors: {mean_iou(sizes, priors):.4f}')
    print('\nanchor_generator=dict(\n    base_sizes=[')
    for level in by_level(priors, counts):
        print(f'        {level},')
    print('    ],\n)')
    if args.out:
        draw(sizes, priors, args.out)
        print(f'\nwrote {args.out}')


def box_sizes(dataset: ConfigDict, scale: tuple[int, int]) -> np.ndarray:
    """(n, 2) widths and heights at the input size, of all boxes that are not ignored."""
    sizes = []
    for part in find_datasets(dataset):
        built = DATASETS.build(ConfigDict(part, pipeline=[]))
        for index in range(len(built)):
            info = built.get_data_info(index)
            shrink = np.divide(scale, (info['width'], info['height']))
            for instance in info['instances']:
                x1, y1, x2, y2 = instance['bbox']
                if not instance['ignore_flag'] and x2 > x1 and y2 > y1:
                    sizes.append(((x2 - x1) * shrink[0], (y2 - y1) * shrink[1]))
    if not sizes:
        sys.exit('error: the training set has no box')
    return np.array(sizes, dtype=np.float32)


def resize_scale(dataset: ConfigDict) -> tuple[int, int]:
    """Width and height of the network's input in the training pipeline."""
    for part in find_datasets(dataset):
        for step in part.get('pipeline', []):
            stretched = step.type == 'Resize' and not step.get('keep_ratio', True)
            # On average the jitter leaves an image as wide and high as its canvas.
            if stretched or step.type == 'DarknetJitter':
                return tuple(step.scale)
    sys.exit(
        'error: the training pipeline has neither a Resize with keep_ratio=False nor a '
        'DarknetJitter; give --scale W H'
    )


def own_priors(cfg: Config) -> list[list[tuple[float, float]]]:
    """``base_sizes`` of the head, level by level; none for a head without YOLO's priors."""
    generator = cfg.model.bbox_head.get('anchor_generator')
    if generator is None or generator.type != 'YOLOAnchorGenerator':
        return []
    return TASK_UTILS.build(generator).base_sizes


def draw(sizes: np.ndarray, priors: np.ndarray, path: Path) -> None:
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 5), layout='constrained')
    axes.scatter(*sizes.T, s=3, alpha=0.15, linewidths=0, label=f'{len(sizes)} boxes')
    axes.scatter(*priors.T, s=60, marker='s', color='tab:red', label=f'{len(priors)} priors')
    axes.set(xscale='log', yscale='log', xlabel='width, px', ylabel='height, px')
    axes.set_title(f'mean IoU {mean_iou(sizes, priors):.3f}')
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == '__main__':
    main()
