"""Trains the detector of a config: on the GPU if there is one, else on the CPU.

python tools/train.py configs/yolov2_lrm_kitti.py
"""

import argparse

import installed  # noqa: F401
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import Runner

from mmdet_lrm.launch import (
    add_common_arguments,
    allow_mmengine_checkpoints,
    load_config,
    require_data,
    require_file,
    require_pretrained,
)


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a detector')
    parser.add_argument('config', help='a config file, such as configs/yolov2_lrm_kitti.py')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from this checkpoint; without one, from the last in the work folder, if any',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision (needs a GPU)')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help="scale the learning rate with the total batch size over the config's base_batch_size",
    )
    add_common_arguments(parser)
    return parser.parse_args(arguments)


def apply_training_options(cfg: Config, args: argparse.Namespace) -> None:
    """Writes --amp, --auto-scale-lr and --resume into the config."""
    if args.amp:
        if get_device() == 'cpu':
            raise SystemExit(
                'error: --amp needs a GPU, and PyTorch sees none here; train without --amp'
            )
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.loss_scale = 'dynamic'
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise SystemExit(
                f'error: --auto-scale-lr needs `auto_scale_lr = dict(base_batch_size=...)`, the '
                f'batch size of the learning rate, which {args.config} does not set'
            )
        cfg.auto_scale_lr.enable = True
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None
        if args.resume != 'auto':
            require_file('checkpoint', args.resume)
            cfg.load_from = args.resume


def main() -> None:
    args = parse_args()
    cfg = load_config(args)
    apply_training_options(cfg, args)
    require_data(cfg, 'train_dataloader', 'val_dataloader')
    if not cfg.resume and not cfg.load_from:
        require_pretrained(cfg.model, 'model')
    allow_mmengine_checkpoints()
    Runner.from_cfg(cfg).train()


if __name__ == '__main__':
    main()
