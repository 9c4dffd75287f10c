"""The config of a training and of a test, as their command lines ask for it, checked."""

import argparse

from mmdet.engine.hooks.utils import trigger_visualization_hook
from mmengine.config import Config
from mmengine.device import get_device

from ..errors import LaunchError
from .checkpoints import require_checkpoint
from .config import (
    add_common_arguments,
    load_config,
    require_data,
    require_pretrained,
)
from .images import require_images
from .processes import join_without_gpu
from .resuming import choose_start


def training_parser() -> argparse.ArgumentParser:
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
    parser.add_argument(
        '--check-images',
        action='store_true',
        help='decode every image before the training begins, and name those that are damaged',
    )
    add_common_arguments(parser)
    return parser


def training_config(args: argparse.Namespace) -> Config:
    """What a Runner needs to train; its data and the files that it starts from are there."""
    cfg = load_config(args)
    apply_training_options(cfg, args)
    require_data(cfg, 'train_dataloader', 'val_dataloader')
    if args.check_images:
        require_images(cfg, 'train_dataloader', 'val_dataloader')
    set_start(cfg, args.resume)
    join_without_gpu(cfg)
    return cfg


def set_start(cfg: Config, resume: str | None) -> None:
    """Writes into the config what its training goes on from, or starts from; it is there.

    Where there is no checkpoint to go on from, it begins as without --resume. The Runner is not
    left to look for one: it takes what ``last_checkpoint`` names, be it there or not.

    Args:
        resume: a checkpoint, 'auto' for the last in the work folder, None for what the config has.
    """
    load_from = cfg.get('load_from')
    if resume not in (None, 'auto'):
        cfg.resume, cfg.load_from = True, resume
    elif resume == 'auto' or (cfg.get('resume') and not load_from):
        if last := choose_start(cfg):
            cfg.resume, cfg.load_from = True, str(last)
        elif not load_from:
            cfg.resume = False
    if not cfg.get('load_from'):
        require_pretrained(cfg.model)
    elif '://' not in cfg.load_from:
        require_checkpoint(cfg.load_from)


def apply_training_options(cfg: Config, args: argparse.Namespace) -> None:
    """Writes --amp and --auto-scale-lr into the config."""
    if args.amp:
        if get_device() == 'cpu':
            raise LaunchError('--amp needs a GPU, and PyTorch sees none here; train without --amp')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.loss_scale = 'dynamic'
    if args.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise LaunchError(
                '--auto-scale-lr needs `auto_scale_lr = dict(base_batch_size=...)`, the batch size '
                f'of the learning rate, which {args.config} does not set'
            )
        cfg.auto_scale_lr.enable = True


def testing_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description='Test a detector')
    parser.add_argument('config', help='a config file, such as configs/yolov2_lrm_kitti.py')
    parser.add_argument('checkpoint', help='a checkpoint that training with this config wrote')
    parser.add_argument(
        '--out', type=pickle_name, metavar='FILE.pkl', help='write all predictions to this pickle'
    )
    parser.add_argument('--show', action='store_true', help='show each image with its detections')
    parser.add_argument(
        '--show-dir', help='write images with detections to WORK_DIR/TIMESTAMP/SHOW_DIR'
    )
    parser.add_argument('--wait-time', type=float, default=2, help='seconds each image is shown')
    add_common_arguments(parser)
    return parser


def pickle_name(name: str) -> str:
    if not name.endswith(('.pkl', '.pickle')):
        raise argparse.ArgumentTypeError(f"'{name}' must end in .pkl or .pickle")
    return name


def testing_config(args: argparse.Namespace) -> Config:
    """What a Runner needs to test; its data and the checkpoint are there."""
    cfg = load_config(args)
    require_checkpoint(args.checkpoint)
    require_data(cfg, 'test_dataloader')
    cfg.load_from = args.checkpoint
    if args.show or args.show_dir:
        cfg = trigger_visualization_hook(cfg, args)
    join_without_gpu(cfg)
    return cfg
