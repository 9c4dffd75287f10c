"""Pictures of what is mined, on demand: of any image, by any config, before or after training."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from torch import nn

from ..errors import LaunchError
from ..mining.pictures import annotated_pipeline, draw_mining, mined_image, mining_head, png
from ..mining.visualization import evaluation_steps
from ..training.files import write_whole
from .config import require_file, require_pretrained
from .models import build_detector
from .nodes import find_datasets

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def show(
    cfg: Config, checkpoint: Path | None, images: Sequence[Path]
) -> Iterator[tuple[Path, str]]:
    """The pictures that were written to ``work_dir``, and a few words on each.

    Args:
        checkpoint: weights; without one those that a training begins with, random or pre-trained.

    Raises:
        MiningPictureError: the config's head does not mine.
        LaunchError: a file is missing, cannot be read, or is of another network.
    """
    for image in images:
        require_file('image', image)
    # A model says in a page how each of its layers is initialised.
    MMLogger.get_instance('showing', log_level='WARNING')
    model = first_model(cfg, checkpoint or cfg.get('load_from'))
    mining_head(model)
    Path(cfg.work_dir).mkdir(parents=True, exist_ok=True)
    pipeline = annotated_pipeline(evaluation_steps(cfg))
    infos, classes = annotations(cfg, images)
    for image, info in zip(images, infos, strict=True):
        mined = mined_image(
            model, pipeline(info or dict(img_path=str(image), img_id=0, instances=[]))
        )
        path = Path(cfg.work_dir, f'{image.stem}-mining.png')
        write_whole(path, png(draw_mining(mined, classes, image.name), dpi=100))
        of = 'no annotations' if info is None else f'{len(mined.truths)} objects'
        yield path, f'{of}, {mined.kept.sum()} of {mined.valid.sum()} priors train'


def first_model(cfg: Config, checkpoint: str | Path | None) -> nn.Module:
    """As a training would begin, or with the weights of a checkpoint, on the CPU."""
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    if checkpoint:
        return build_detector(cfg, checkpoint)
    require_pretrained(cfg.model)
    set_random_seed((cfg.get('randomness') or {}).get('seed') or 0)
    model = MODELS.build(cfg.model)
    try:
        model.init_weights()
    except OSError as error:  # as urllib and torch.hub have it
        raise LaunchError(
            f'the weights that a training begins with cannot be had ({error}); give a checkpoint, '
            'or begin at random by --cfg-options model.backbone.init_cfg=None'
        ) from error
    return model.eval()


def annotations(cfg: Config, images: Sequence[Path]) -> tuple[list[dict | None], Sequence[str]]:
    """What the config's data sets know of images, None of those that are in none; class names."""
    wanted = {image.resolve(): None for image in images}
    names, classes = {path.name for path in wanted}, ()
    for part in (part for loader in LOADERS for part in find_datasets(cfg.get(loader) or {})):
        try:
            dataset = DATASETS.build(part | all_images(part))
        except FileNotFoundError:  # an image of one's own needs none of them
            continue
        classes = classes or dataset.metainfo.get('classes', ())
        for info in map(dataset.get_data_info, range(len(dataset))):
            path = Path(info['img_path'])
            if path.name in names and path.resolve() in wanted:
                wanted[path.resolve()] = info
        if None not in wanted.values():
            break
    return [wanted[image.resolve()] for image in images], classes


def all_images(part: Mapping) -> dict:
    """What a data set's config is to have besides so that it lists every image of its own."""
    least = (part.get('filter_cfg') or {}).get('bbox_min_size')
    if least is None:
        return dict(pipeline=[], test_mode=True)
    # Which boxes are too small to learn XMLDataset tells in training alone.
    return dict(pipeline=[], test_mode=False, filter_cfg=dict(bbox_min_size=least))
