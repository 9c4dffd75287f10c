"""What a config has to do with priors: the boxes of its training set, its input size, its own."""

import logging
from collections.abc import Sequence
from xml.etree.ElementTree import ParseError

import numpy as np
from mmdet.registry import DATASETS, TASK_UTILS
from mmengine.config import Config, ConfigDict

from ..errors import UserError
from ..launch import find_datasets
from ..reading.image_size import image_sizes

# What mmdet's datasets raise of files that lack a key, a tag or a number.
_READING_ERRORS = (
    *(KeyError, AttributeError, TypeError, ValueError, OverflowError, AssertionError),
    *(ParseError, OSError),
)
_LOGGER = logging.getLogger(__name__)


class BoxesError(UserError):
    """A training set whose boxes cannot be measured."""


def box_sizes(dataset: ConfigDict, scale: tuple[int, int]) -> np.ndarray:
    """Widths and heights, at the input size, of all boxes that are not ignored and have an area.

    Boxes are cut at their picture, whose size is that of the picture as it is loaded: what the
    annotations say of it may be wrong. Logs which differ, and how many boxes have no area.

    Args:
        dataset: of the config, in any wrappers.
        scale: width and height of the network's input in px.

    Returns:
        (n, 2) float32, n > 0.

    Raises:
        BoxesError: annotations or pictures that cannot be read, a box that is not finite, no box.
    """
    sizes = np.concatenate(
        [np.zeros((0, 2))] + [_part_sizes(part, scale) for part in find_datasets(dataset)]
    )
    if not len(sizes):
        raise BoxesError('the training set has no box')
    return sizes.astype(np.float32)


def _part_sizes(part: ConfigDict, scale: tuple[int, int]) -> np.ndarray:
    infos, pictures = _pictures(part)
    instances = [
        (index, *instance['bbox'])
        for index, info in enumerate(infos)
        for instance in info['instances']
        if not instance['ignore_flag']
    ]
    table = np.array(instances, dtype=np.float64).reshape(-1, 5)
    index, boxes = table[:, 0].astype(np.int64), table[:, 1:]
    for i in np.flatnonzero(~np.isfinite(boxes).all(axis=1)):
        raise BoxesError(
            f'the box {" ".join(map(str, boxes[i]))} of {infos[index[i]]["img_path"]} is not '
            'finite; mend the annotations'
        )
    boxes = np.clip(boxes, 0, np.tile(pictures[index], 2))
    sizes = boxes[:, 2:] - boxes[:, :2]
    has_area = (sizes > 0).all(axis=1)
    if not has_area.all():
        _LOGGER.warning(
            f'{(~has_area).sum()} of {len(boxes)} boxes have no area inside their picture, and '
            f'are left out; the first is of {infos[index[np.argmin(has_area)]]["img_path"]}'
        )
    return sizes[has_area] * (np.array(scale) / pictures[index[has_area]])


def _pictures(part: ConfigDict) -> tuple[list[dict], np.ndarray]:
    """Annotations of the images that are not filtered out, and their (F, 2) sizes as loaded."""
    filters = dict(part.get('filter_cfg') or {})
    least = filters.get('min_size', 0)
    filters['min_size'] = -np.inf  # mmdet compares it with what the annotations say
    try:
        built = DATASETS.build(ConfigDict(part, pipeline=[], filter_cfg=filters))
        infos = [built.get_data_info(index) for index in range(len(built))]
    except UserError:
        raise
    except _READING_ERRORS as error:
        raise BoxesError(
            f"the annotations of {part.type} '{part.get('ann_file', '')}' cannot be read "
            f'({type(error).__name__}: {error}); mend them, or the dataset of the config'
        ) from error
    # Files in a remote store have nothing but their annotations here.
    paths = [None if '://' in info['img_path'] else info['img_path'] for info in infos]
    problems: list[str] = []
    loaded = image_sizes(paths, problems)
    if problems:
        raise BoxesError(f'{len(problems)} pictures of the training set are amiss: {problems[0]}')
    stated = [(info['width'], info['height']) for info in infos]
    sizes = [
        size if path else of_info
        for path, size, of_info in zip(paths, loaded.tolist(), stated, strict=True)
    ]
    _say_differing(infos, stated, sizes)
    sizes = np.array(sizes, dtype=np.float64).reshape(-1, 2)
    kept = np.flatnonzero(sizes.min(axis=1) >= max(least, 1))
    return [infos[index] for index in kept], sizes[kept]


def _say_differing(infos: list[dict], stated: list[tuple], sizes: list[Sequence]) -> None:
    differing = [i for i in range(len(infos)) if tuple(stated[i]) != tuple(sizes[i])]
    if differing:
        first = differing[0]
        (width, height), (stated_width, stated_height) = sizes[first], stated[first]
        _LOGGER.warning(
            f'{len(differing)} pictures have another size than their annotations say, such as '
            f'{infos[first]["img_path"]}: {width} x {height}, not {stated_width} x '
            f'{stated_height}. Boxes are measured in the picture; mend the annotations, by whose '
            'sizes mmdet leaves out images and boxes'
        )


def input_size(dataset: ConfigDict) -> tuple[int, int]:
    """Width and height of the network's input in the training pipeline.

    Raises:
        BoxesError: no step of the pipeline fixes them.
    """
    for part in find_datasets(dataset):
        for step in part.get('pipeline', []):
            stretched = step.type == 'Resize' and not step.get('keep_ratio', False)
            # On average the jitter leaves an image as wide and high as its canvas.
            if (stretched or step.type == 'DarknetJitter') and (scale := step.get('scale')):
                return (scale, scale) if isinstance(scale, int) else tuple(scale)
    raise BoxesError(
        'the training pipeline has neither a Resize to a scale without keep_ratio=True nor a '
        'DarknetJitter; give --scale W H'
    )


def own_priors(cfg: Config) -> list[list[tuple[float, float]]]:
    """``base_sizes`` of the head, level by level; none for a head without YOLO's priors."""
    generator = cfg.model.bbox_head.get('anchor_generator')
    if generator is None or generator.type != 'YOLOAnchorGenerator':
        return []
    return TASK_UTILS.build(generator).base_sizes
