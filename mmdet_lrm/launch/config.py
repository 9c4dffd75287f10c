"""The config of a run with its command line in it, and what must be there before the run begins."""

import argparse
import inspect
import os
import tempfile
from pathlib import Path

from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.config.utils import ConfigParsingError

import mmdet_lrm

from ..errors import LaunchError
from .checkpoints import protect_checkpoints, require_checkpoint
from .nodes import find_datasets, nodes
from .settings import Settings
from .variables import load_with_variables

INSTALL = (
    "Use the Python of `make venv`, .venv/bin/python, or `pip install -e '.[onedl]'` in the folder "
    'of mmdet_lrm'
)
# How the checkpoint is made that a backbone starts from, by its type.
WEIGHTS = {
    'Darknet19': 'download https://pjreddie.com/media/files/darknet19_448.conv.23 and darknet19_448'
    '.cfg of https://github.com/pjreddie/darknet, then: python tools/darknet.py import '
    'darknet19_448.cfg darknet19_448.conv.23 --backbone --out {}',
}


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--work-dir', help='folder for logs, checkpoints and results')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=Settings,
        metavar='KEY=VALUE',
        help='settings that replace those of the config, such as train_cfg.max_epochs=12; a list '
        'is key="[a,b]" or key=a,b, a dict key="dict(a=1, b=\'text\')"',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes of a distributed run; see dist_train.sh',
    )
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='load checkpoints that hold more than weights; loading one runs the code in it',
    )
    # torch.distributed.launch passes the rank in either spelling, torchrun in the environment.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def load_config(args: argparse.Namespace) -> Config:
    """The config with the common arguments in it, and a work folder that can be written to."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    protect_checkpoints(args.trust_checkpoint)
    args.config = config_path(args.config)
    require_file('config', args.config)
    try:
        cfg = load_with_settings(args.config, args.cfg_options or {})
    except ImportError as error:
        reason = error
        while reason.__context__:  # MMEngine's own message lists the whole sys.path
            reason = reason.__context__
        raise LaunchError(
            f'{args.config} needs a module that cannot be imported: {reason}. If it is a file of '
            f'yours, set PYTHONPATH to its folder. {INSTALL}'
        ) from error
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', Path(args.config).stem))
    require_mining_heads(cfg.get('model') or {})
    require_writable(cfg.work_dir)
    return cfg


def load_with_settings(file: str, settings: dict[str, object]) -> Config:
    """The config of a file with settings of a command line in it, its variables among them.

    Raises:
        LaunchError: a setting does not fit, or is a variable that nothing follows.
    """
    cfg = load_with_variables(file, settings)
    try:
        cfg.merge_from_dict(settings)
    except (KeyError, TypeError) as error:
        given = ' '.join(f'{key}={value}' for key, value in settings.items())
        raise LaunchError(f'--cfg-options {given} does not fit {file}: {error.args[0]}') from error
    return cfg


def require_mining_heads(model: dict) -> None:
    """Every module of it that is given an `lrm` can mine."""
    for key, node in nodes(model, 'model'):
        module = MODELS.get(node['type']) if isinstance(node.get('type'), str) else None
        if not (node.get('lrm') and module) or 'lrm' in inspect.signature(module).parameters:
            continue
        own = {'YOLOV3Head': 'LRMYOLOV3Head', 'SSDHead': 'LRMSSDHead'}.get(node['type'])
        remedy = (
            f"set {key}.type='{own}'"
            if own
            else f'remove it, and mine in a loss of the head: {key}.loss_cls=dict(type='
            "'LRMElementLoss', loss=<the type it had>, ...)"
        )
        raise LaunchError(
            f'the config has {key}.lrm, and {node["type"]} cannot mine (YOLOV2Head, '
            f'LRMYOLOV3Head and LRMSSDHead can); {remedy}'
        )


def config_path(name: str) -> str:
    """The file of a config; `mmdet_lrm::yolov2_kitti.py` is one that came with this package.

    MMEngine reads that spelling in `_base_` alone, for OpenMMLab's packages and in subfolders.
    """
    package, colons, file = name.partition('::')
    if not colons:
        return name
    if package != mmdet_lrm.__name__:
        raise LaunchError(f"the config '{name}' must be a path, or mmdet_lrm::FILE")
    return mmdet_lrm.config(file)


def read_config(name: str | Path, settings: dict[str, object] | None = None) -> Config:
    """The config of a detector, of its file, or a shipped one, as :func:`config_path` has it.

    Raises:
        LaunchError: there is no such file, it cannot be read, it has no model, or a setting does
            not fit.
    """
    path = config_path(str(name))
    require_file('config', path)
    try:
        cfg = load_with_settings(path, settings or {})
    except LaunchError:
        raise
    except (
        *(OSError, SyntaxError, NameError, ImportError),
        *(LookupError, TypeError, ValueError, ConfigParsingError),
    ) as error:
        raise LaunchError(f"'{path}' cannot be read as a config: {error}") from error
    if 'model' not in cfg:
        raise LaunchError(f"'{path}' has no model; it is no config of a detector")
    return cfg


def require_file(what: str, path: str | Path) -> None:
    if not Path(path).is_file():
        raise LaunchError(f"the {what} '{path}' is not a file (from {Path.cwd()})")


def require_writable(folder: str) -> None:
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise LaunchError(
            f"the work folder '{folder}' cannot be written to ({error}); name another one "
            'with --work-dir'
        ) from error


def require_data(cfg: Config, *loaders: str) -> None:
    """Every local dataset of these loaders has its folder and its list of images."""
    for loader in loaders:
        for dataset in find_datasets(cfg.get(loader) or {}):
            root, ann_file = dataset['data_root'] or '', dataset.get('ann_file') or ''
            if '://' in root or '://' in ann_file:
                continue
            for path in (Path(root), Path(root, ann_file)):
                if not path.exists():
                    raise LaunchError(
                        f"the {dataset.get('type')} of {loader} needs '{path}', which does "
                        f'not exist (from {Path.cwd()}). Prepare the data there, or set data_root '
                        'in the config to their folder (as do the variables KITTI_ROOT, VOC_ROOT, '
                        'COCO_ROOT, BCCD_ROOT and, for custom data, DATA_ROOT)'
                    )


def require_pretrained(model: dict) -> None:
    """Every local checkpoint that an `init_cfg` of it names is there and can be read."""
    for key, node in nodes(model, 'model'):
        init = node.get('init_cfg') or []
        for each in init if isinstance(init, list) else [init]:
            file = each.get('checkpoint')
            if not file or '://' in file:
                continue
            if not Path(file).is_file():
                raise LaunchError(
                    f"{key}.init_cfg starts from '{file}', which is not a file (from "
                    f'{Path.cwd()}). Set its path in the config, or make it first: '
                    + WEIGHTS.get(
                        node.get('type'), 'tools/darknet.py imports weights of darknet'
                    ).format(Path(file).with_suffix(''))
                )
            require_checkpoint(file)
