"""Lay out KITTI's 2D object data for the configs, from the official zip files or unpacked folders.

Get data_object_image_2.zip and data_object_label_2.zip from
https://www.cvlibs.net/datasets/kitti/eval_object.php?obj_benchmark=2d. The usual split is two text
files, train.txt with 3,712 frame ids and val.txt with 3,769.
"""

import argparse
import os
import sys
from functools import partial

os.environ['MMDET_LRM_UNREGISTERED'] = str(os.getpid())  # it needs neither torch nor mmdet
import installed  # noqa: F401

from mmdet_lrm.kitti.preparing import prepare, random_splits, usual_splits


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', help='folder to fill, such as data/kitti')
    parser.add_argument('--images', required=True, help='data_object_image_2.zip or a folder')
    parser.add_argument('--labels', required=True, help='data_object_label_2.zip or a folder')
    parser.add_argument('--split', choices=('usual', 'random'), default='usual')
    parser.add_argument('--split-dir', help='folder with train.txt and val.txt of the usual split')
    parser.add_argument(
        '--allow-missing', action='store_true', help='leave absent frames out of the usual split'
    )
    parser.add_argument('--val-fraction', type=float, default=0.5, help='of the random split')
    parser.add_argument('--seed', type=int, default=0, help='of the random split')
    parser.add_argument('--link', action='store_true', help='link the files of folders, not copy')
    parser.add_argument('--overwrite', action='store_true', help='replace files that differ')
    args = parser.parse_args(argv)
    if args.split == 'usual' and args.split_dir is None:
        parser.error('--split usual needs --split-dir, the folder with train.txt and val.txt')
    return args


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    options = dict(link=args.link, overwrite=args.overwrite, allow_missing=args.allow_missing)
    try:
        if args.split == 'usual':
            splits = usual_splits(args.split_dir)
        else:
            splits = partial(random_splits, val_fraction=args.val_fraction, seed=args.seed)
        print(prepare(args.images, args.labels, args.out, splits, **options))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
