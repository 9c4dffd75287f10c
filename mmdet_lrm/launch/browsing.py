"""Images of a data set with their truths drawn, as its files have them or a network gets them."""

from collections.abc import Iterator, Sequence

import cv2
import mmcv
import numpy as np
from mmdet.datasets import BaseDetDataset
from mmdet.datasets.transforms import LoadAnnotations
from mmengine.dataset import Compose
from mmengine.visualization import Visualizer

from ..colours import BLUE, GREEN, ORANGE, PURPLE, RED, SKY, YELLOW
from ..kitti.evaluation import DIFFICULTIES

LONG_SIDE = 1600  # px that a picture has at least, so that its labels do not hide its objects
FONT, LINE = 8, 1.5
LABEL_HEIGHT = 16  # px
IGNORED = '#A0A0A0'
COLOURS = (SKY, ORANGE, GREEN, YELLOW, RED, PURPLE, BLUE)
# COCO's, by the square root of the area in px.
SIZES = {'small': 32, 'medium': 96, 'large': np.inf}


def difficulty(instance: dict) -> str:
    """KITTI's of its instances ('' beyond hard), and of any other COCO's name for the size."""
    x1, y1, x2, y2 = instance['bbox']
    if 'occluded' not in instance:
        side = np.sqrt(max(x2 - x1, 0) * max(y2 - y1, 0))
        return next(name for name, least in SIZES.items() if side < least)
    for name, limits in DIFFICULTIES.items():
        if (
            instance['height'] > limits.min_height
            and instance['occluded'] <= limits.max_occluded
            and instance['truncated'] <= limits.max_truncated
        ):
            return name
    return ''


def of_files(dataset: BaseDetDataset, index: int) -> tuple[np.ndarray, list[dict]]:
    """An image (H, W, 3) in RGB and its instances, before the pipeline."""
    info = dataset.get_data_info(index)
    instances = [
        dict(each, difficulty='' if each['ignore_flag'] else difficulty(each))
        for each in info['instances']
    ]
    return mmcv.imread(info['img_path'], channel_order='rgb'), instances


def of_pipeline(dataset: BaseDetDataset, index: int) -> tuple[np.ndarray, list[dict]]:
    """An image (H, W, 3) in RGB and its instances, as the pipeline makes them for a network."""
    if dataset.test_mode:
        sample = truths_first(dataset.pipeline)(dataset.get_data_info(index))
    else:
        sample = dataset[index]
    image = sample['inputs'].permute(1, 2, 0).numpy()[..., ::-1].clip(0, 255)
    instances = [
        dict(bbox=bbox, bbox_label=label, ignore_flag=flag, difficulty='')
        for flag, found in enumerate(
            (sample['data_samples'].gt_instances, sample['data_samples'].ignored_instances)
        )
        for bbox, label in zip(_boxes(found), found.labels.tolist(), strict=True)
    ]
    return np.ascontiguousarray(image, dtype=np.uint8), instances


def truths_first(pipeline: Compose) -> Compose:
    """Truths that follow the image to its size; an evaluation loads them in the file's, or not."""
    steps = pipeline.transforms
    loading = [step for step in steps if isinstance(step, LoadAnnotations)]
    first, *others = (step for step in steps if step not in loading)
    return Compose([first, *(loading or [LoadAnnotations(with_bbox=True)]), *others])


def _boxes(found: object) -> list[list[float]]:
    return getattr(found.bboxes, 'tensor', found.bboxes).tolist()


def drawn(image: np.ndarray, instances: list[dict], classes: Sequence[str]) -> np.ndarray:
    """The picture, enlarged if it is small: a colour a class, what is ignored in grey.

    A box of swapped corners is drawn between them, and its label says so.

    Args:
        image: (H, W, 3) RGB.
        instances: with ``bbox`` in px of it, ``bbox_label``, ``ignore_flag`` and ``difficulty``.
        classes: names by label.

    Returns:
        (h, w, 3) RGB.
    """
    scale = max(1, int(np.ceil(LONG_SIDE / max(image.shape[:2]))))
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    visualizer = Visualizer(image=image)
    # Ignored regions lie below, and large boxes below those that they hold.
    ordered = sorted(instances, key=lambda each: (not each['ignore_flag'], -_area(each)))
    boxes = np.array([each['bbox'] for each in ordered]).reshape(-1, 4) * scale
    boxes = np.clip(boxes, 0, np.tile(image.shape[1::-1], 2))
    swapped = (boxes[:, :2] > boxes[:, 2:]).any(axis=1)
    # MMEngine draws no box whose first corner is not its upper left one.
    boxes = np.sort(boxes.reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    colours = [
        IGNORED if each['ignore_flag'] else COLOURS[each['bbox_label'] % len(COLOURS)]
        for each in ordered
    ]
    for each, box, colour in zip(ordered, boxes, colours, strict=True):
        ignored = dict(line_styles='--', face_colors=IGNORED, alpha=0.5)
        style = ignored if each['ignore_flag'] else dict(alpha=1.0)
        visualizer.draw_bboxes(box[None], edge_colors=colour, line_widths=LINE, **style)
    for each, box, colour, is_swapped in zip(ordered, boxes, colours, swapped, strict=True):
        name = 'ignored' if each['ignore_flag'] else classes[each['bbox_label']]
        visualizer.draw_texts(
            ' '.join(filter(None, (name, each['difficulty'], is_swapped and 'corners swapped'))),
            np.array([box[0], max(box[1], LABEL_HEIGHT)]),
            font_sizes=FONT,
            colors='black',
            vertical_alignments='bottom',
            bboxes=dict(facecolor=colour, edgecolor='none', pad=0.8, alpha=0.9),
        )
    return visualizer.get_image()


def _area(instance: dict) -> float:
    x1, y1, x2, y2 = instance['bbox']
    return (x2 - x1) * (y2 - y1)


def pictures(
    dataset: BaseDetDataset, indices: list[int], as_input: bool
) -> Iterator[tuple[str, np.ndarray]]:
    """By the image's id, the picture in RGB of each of these images of a data set."""
    read = of_pipeline if as_input else of_files
    for index in indices:
        name = str(dataset.get_data_info(index)['img_id'])
        yield name, drawn(*read(dataset, index), dataset.metainfo['classes'])
