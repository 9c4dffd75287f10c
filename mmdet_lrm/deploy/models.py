"""What an export and a timing take of a config: its classes, its pictures and their loading."""

from collections.abc import Sequence
from pathlib import Path

from mmcv.transforms import Compose
from mmdet.registry import DATASETS, TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch import nn

from ..configs import pipeline_of
from ..launch import load_checkpoint
from .detector import ExportError


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
    steps = pipeline_of(cfg.get('test_dataloader'))
    return Compose([TRANSFORMS.build(each) for each in steps if each['type'] != 'LoadAnnotations'])


def prepare(model: nn.Module, pipeline: Compose, pictures: Sequence[str | Path]) -> dict:
    """Inputs (N, 3, H, W) and data samples of pictures, by :func:`loading` and preprocessor."""
    data = [pipeline(dict(img_path=str(path), img_id=0)) for path in pictures]
    return model.data_preprocessor(pseudo_collate(data), False)
