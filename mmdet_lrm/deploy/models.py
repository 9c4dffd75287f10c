"""A trained detector of a config and a checkpoint, ready to answer."""

from collections.abc import Sequence
from pathlib import Path

from mmcv.transforms import Compose
from mmdet.registry import DATASETS, MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch import nn

from ..launch import config_path, load_checkpoint, require_file
from .detector import ExportError
from .preprocessing import test_pipeline


def read_config(name: str) -> Config:
    """The file of a config, or a shipped one as ``mmdet_lrm::yolov2_kitti.py``.

    Raises:
        ExportError: it cannot be read, or has no model.
        LaunchError: there is no such file.
    """
    path = config_path(name)
    require_file('config', path)
    try:
        cfg = Config.fromfile(path)
    except (SyntaxError, ImportError, OSError, KeyError, TypeError) as error:
        raise ExportError(f"the config '{path}' cannot be read: {error}") from error
    if 'model' not in cfg:
        raise ExportError(f"the config '{path}' has no model")
    return cfg


def build_detector(cfg: Config, checkpoint: Path | None = None) -> nn.Module:
    """In evaluation mode, on the CPU, with all its weights, or random ones without a checkpoint.

    Raises:
        ExportError: the checkpoint is of another network.
        LaunchError: it cannot be read.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = MODELS.build(without_init(cfg.model))
    if checkpoint is not None:
        load_weights(model, checkpoint)
    return model.eval()


def without_init(node: object) -> object:
    """The config of a model without what it starts a training from, which might be downloaded."""
    if isinstance(node, dict):
        return type(node)({k: without_init(v) for k, v in node.items() if k != 'init_cfg'})
    return type(node)(map(without_init, node)) if isinstance(node, (list, tuple)) else node


def load_weights(model: nn.Module, checkpoint: Path) -> None:
    loaded = load_checkpoint(checkpoint)
    state = loaded.get('state_dict', loaded) if isinstance(loaded, dict) else {}
    try:
        missing = set(model.load_state_dict(state, strict=False).missing_keys)
    except RuntimeError as error:  # of other shapes; torch names each in a line
        reason = str(error).splitlines()[1].strip()
        raise ExportError(
            f"'{checkpoint}' is of another network than the config: {reason}"
        ) from error
    # Counters of a training take no part in an answer.
    missing = sorted(key for key in missing if not key.endswith(('batches_tracked', 'images_seen')))
    if missing:
        raise ExportError(
            f"'{checkpoint}' is of another network than the config: it lacks {len(missing)} "
            f'parameters, {missing[0]} first'
        )


def class_names(cfg: Config, checkpoint: Path, num_classes: int) -> list[str]:
    """By label; of the checkpoint, else of the config's test dataset.

    Raises:
        ExportError: neither tells as many as the head has.
    """
    loaded = load_checkpoint(checkpoint)
    meta = loaded.get('meta') or {} if isinstance(loaded, dict) else {}
    dataset = cfg.get('test_dataloader', {}).get('dataset', {})
    kind = DATASETS.get(dataset['type']) if 'type' in dataset else None
    for info in (meta.get('dataset_meta'), dataset.get('metainfo'), getattr(kind, 'METAINFO', {})):
        names = list((info or {}).get('classes') or (info or {}).get('CLASSES') or ())
        if len(names) == num_classes:
            return names
    raise ExportError(
        f"neither '{checkpoint}' nor the config names the {num_classes} classes of the head; set "
        'test_dataloader.dataset.metainfo=dict(classes=[...])'
    )


def find_pictures(cfg: Config, number: int) -> list[str]:
    """Paths of the first pictures of the test dataset; empty if its data are not there."""
    dataset = dict(cfg.get('test_dataloader', {}).get('dataset', {}), pipeline=[], test_mode=True)
    try:
        built = DATASETS.build(dataset)
        return [built.get_data_info(index)['img_path'] for index in range(min(number, len(built)))]
    except (KeyError, FileNotFoundError):
        return []


def loading(cfg: Config) -> Compose:
    """The test pipeline without its truths."""
    steps = [step for step in test_pipeline(cfg) if step['type'] != 'LoadAnnotations']
    return Compose([TRANSFORMS.build(step) for step in steps])


def prepare(model: nn.Module, pipeline: Compose, pictures: Sequence[str | Path]) -> dict:
    """Inputs (N, 3, H, W) and data samples of pictures, by :func:`loading` and preprocessor."""
    data = [pipeline(dict(img_path=str(path), img_id=0)) for path in pictures]
    return model.data_preprocessor(pseudo_collate(data), False)
