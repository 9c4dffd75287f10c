"""Annotations as they stand in the files of a data set, before any class is picked from them."""

import json
import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from mmdet.datasets import BaseDetDataset, CocoDataset, Objects365V1Dataset, XMLDataset
from mmengine.dataset import BaseDataset
from mmengine.fileio import load
from tqdm import tqdm

from ..kitti.dataset import KittiDataset

CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
# What files raise that lack a key, a tag or a number.
READING_ERRORS = (
    *(LookupError, AttributeError, TypeError, ValueError, OverflowError, AssertionError),
    *(ElementTree.ParseError, OSError),
)


@dataclass(frozen=True, eq=False)
class Annotations:
    """I images and B boxes of one data set.

    Attributes:
        source: the list of images, or the file of annotations.
        classes: what the config asks for.
        labels: what the labels 0, 1, ... that mmdet gives the boxes stand for in the files.
        known_names: what the files can name; all of the classes, where they do not say it.
        images: I paths.
        sizes: (I, 2) width and height in px as the annotations have them; 0 where they do not.
        image: (B,) int, index of the box's image.
        names: (B,) str.
        boxes: (B, 4) x1, y1, x2, y2 in px; NaN of a name that is no class.
        ignored: (B,) bool: neither trained on nor counted.
        dropped: a line for each box of a class that mmdet leaves out; it is none of the B.
        not_to_evaluate: what an evaluation by pycocotools of this file fails at, or gets wrong.
    """

    source: str
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    known_names: Collection[str]
    images: list[str]
    sizes: np.ndarray
    image: np.ndarray
    names: np.ndarray
    boxes: np.ndarray
    ignored: np.ndarray
    dropped: tuple[str, ...] = ()
    not_to_evaluate: tuple[str, ...] = ()

    def names_left_out(self) -> Counter:
        """Numbers of boxes, by a name that is no class, which mmdet leaves out."""
        left_out = ~np.isin(self.names, self.classes) & ~self.ignored
        return Counter(self.names[left_out].tolist())


def read_annotations(dataset: BaseDetDataset, problems: list[str]) -> Annotations:
    """Read the files of a data set that was built with ``lazy_init``.

    Args:
        problems: where to append what is wrong with them: missing and empty files among it.

    Raises:
        KittiDataError: of KITTI's files, with all that is wrong in them.
        READING_ERRORS: files that are too unlike what they should be to say more.
    """
    readers = {KittiDataset: _kitti, XMLDataset: _voc, CocoDataset: _coco}
    reader = next((readers[kind] for kind in readers if isinstance(dataset, kind)), _any)
    found = reader(dataset, problems)
    if not found.images:
        problems.append(f'{found.source} lists no image')
    if not isinstance(dataset, KittiDataset):  # whose reader has opened them
        problems += _files_amiss(found)
    return found


def _files_amiss(found: Annotations) -> list[str]:
    amiss = []
    for path in found.images:
        try:
            if not os.stat(path).st_size:
                amiss.append(f'{path} is empty; it is an image of {found.source}')
        except OSError:
            amiss.append(f'{path} is missing; it is an image of {found.source}')
    return amiss


def _annotations(
    dataset: BaseDetDataset,
    images: Sequence[tuple[str, float, float]],
    boxes: Sequence[tuple],
    labels: Sequence[str] | None = None,
    known_names: Collection[str] | None = None,
) -> Annotations:
    """Columns of rows: path, width, height; and image, name, x1, y1, x2, y2, ignored."""
    image, names, *corners, ignored = zip(*boxes, strict=True) if boxes else ([],) * 7
    classes = tuple(dataset.metainfo['classes'])
    return Annotations(
        source=str(dataset.ann_file),
        classes=classes,
        labels=classes if labels is None else tuple(labels),
        known_names=classes if known_names is None else known_names,
        images=[path for path, *_ in images],
        sizes=np.array([size for _, *size in images], dtype=float).reshape(-1, 2),
        image=np.array(image, dtype=int),
        names=np.array(names, dtype=str),
        boxes=np.array(corners, dtype=float).T.reshape(-1, 4),
        ignored=np.array(ignored, dtype=bool),
    )


def _kitti(dataset: KittiDataset, problems: list[str]) -> Annotations:
    frames = dataset.read_frames()
    objects = frames.objects
    names, ignored_types = objects.types.tolist(), dataset.types_to_ignore()
    return _annotations(
        dataset,
        [
            (path, *size)
            for path, size in zip(frames.image_paths, frames.image_sizes.tolist(), strict=True)
        ],
        [
            (frame, name, *box, name in ignored_types)
            for frame, name, box in zip(
                objects.frame.tolist(), names, objects.bbox.tolist(), strict=True
            )
        ],
    )


def _voc(dataset: XMLDataset, problems: list[str]) -> Annotations:
    images, boxes = [], []
    root, classes = dataset.sub_data_root, set(dataset.metainfo['classes'])
    least = dataset.bbox_min_size or 0
    lines = Path(dataset.ann_file).read_text().splitlines()
    for number, image_id in enumerate(tqdm(lines, desc=dataset.ann_file, disable=None), 1):
        path = Path(root, dataset.ann_subdir, f'{image_id}.xml')
        try:
            tree = ElementTree.parse(path).getroot()
        except OSError:
            problems.append(f"{dataset.ann_file}:{number}: '{image_id}' has no {path}")
            continue
        except ElementTree.ParseError as error:
            problems.append(f'{path}:{error.position[0]}: it is no whole XML ({error})')
            continue
        size = [tree.findtext(f'size/{side}', '0') for side in ('width', 'height')]
        if not all(side.strip().isdigit() for side in size):
            problems.append(f'{path}: its size is {" x ".join(size)}; give two integers')
            size = (0, 0)
        for index, node in enumerate(tree.iterfind('object')):
            try:
                box = _voc_box(node, classes, least)
            except (TypeError, ValueError, OverflowError):
                line = _line_of_object(path, index)
                problems.append(f'{path}:{line}: an object without a name or four numbers')
                continue
            name, *corners, _ = box
            if corners[0] > corners[2] or corners[1] > corners[3]:
                line = _line_of_object(path, index)
                x1, y1, x2, y2 = (corner + 1 for corner in corners)  # as the file has them
                problems.append(
                    f'{path}:{line}: {name} has the corners {x1} {y1} and {x2} {y2}; its xmin is '
                    'above its xmax, or its ymin above its ymax'
                )
            else:
                boxes.append((len(images), *box))
        images.append((str(Path(root, dataset.img_subdir, f'{image_id}.jpg')), *map(int, size)))
    return _annotations(dataset, images, boxes)


def _voc_box(node: ElementTree.Element, classes: Collection[str], least: float) -> tuple:
    """Name, corners and whether it is ignored, as mmdet reads them, which counts from one.

    Raises:
        TypeError, ValueError, OverflowError: it has no name, or corners that are no numbers.
    """
    name = node.findtext('name')
    if not name:
        raise ValueError('no name')
    if name not in classes:
        return name, *[np.nan] * 4, False
    box = [int(float(node.findtext(f'bndbox/{corner}'))) - 1 for corner in CORNERS]
    is_small = box[2] - box[0] < least or box[3] - box[1] < least
    return name, *box, is_small or int(node.findtext('difficult', '0')) > 0


def _line_of_object(path: Path, index: int) -> int:
    """From one; the tree does not know it."""
    text = path.read_text(errors='replace').split('<object', index + 1)
    return 1 + sum(part.count('\n') for part in text[:-1])


def _coco(dataset: CocoDataset, problems: list[str]) -> Annotations:
    try:
        content = json.loads(Path(dataset.ann_file).read_bytes())
    except json.JSONDecodeError as error:
        raise ValueError(f'{dataset.ann_file}:{error.lineno}: it is no whole JSON') from error
    categories = content['categories']
    if isinstance(dataset, Objects365V1Dataset):
        categories = sorted(categories, key=lambda each: each['id'])  # as it does itself
    names = {each['id']: each['name'] for each in categories}
    wanted = set(dataset.metainfo['classes'])
    index = {each['id']: number for number, each in enumerate(content['images'])}
    boxes, dropped, whole = [], [], []
    for each in content.get('annotations', []):
        try:
            x, y, width, height = map(float, each['bbox'])
            image, name = index[each['image_id']], names[each['category_id']]
            _ = each['id'], float(each['area'])
        except (KeyError, TypeError, ValueError) as error:
            problems.append(
                f'{dataset.ann_file}: annotation {each.get("id")} lacks an id, a bbox of four '
                'numbers, an area, or its image or category is not listed '
                f'({type(error).__name__}: {error})'
            )
            continue
        whole.append(each)
        if each.get('ignore'):
            continue
        if name in wanted and (why := _why_dropped(each, content['images'][image])):
            dropped.append((image, each, why))
        else:
            ignored = bool(each.get('iscrowd'))
            boxes.append((image, name, x, y, x + width, y + height, ignored))
    problems += _twice(dataset.ann_file, whole)
    folder = dataset.data_prefix['img']
    images = [
        (os.path.join(folder, each['file_name']), each['width'], each['height'])
        for each in content['images']
    ]
    # mmdet numbers the categories that it picks by the classes, in the order of the file.
    labels = [each['name'] for each in categories if each['name'] in wanted]
    truths = [each for each in whole if names[each['category_id']] in wanted]
    return replace(
        _annotations(dataset, images, boxes, labels, known_names=set(names.values())),
        dropped=tuple(
            f'{" ".join(f"{value:g}" for value in each["bbox"])} of the annotation {each["id"]} '
            f'of {images[image][0]}: {why}'
            for image, each, why in dropped
        ),
        not_to_evaluate=tuple(_not_to_evaluate(dataset.ann_file, truths)),
    )


def _why_dropped(annotation: dict, image: dict) -> str:
    """Why ``CocoDataset.parse_data_info`` leaves out a box; '' where it does not."""
    x, y, width, height = annotation['bbox']
    if width < 1 or height < 1:
        why = 'less than 1 px wide or high'
        if min(x, y, width, height) >= 0 and max(x, y, width, height) <= 1:
            why += '; in COCO boxes are x, y, width, height in px, no shares of the image'
        return why
    inside = [
        max(0, min(start + side, end) - max(start, 0))
        for start, side, end in ((x, width, image['width']), (y, height, image['height']))
    ]
    if not inside[0] * inside[1]:
        return 'outside its image'
    return 'of an area that is not above 0' if annotation['area'] <= 0 else ''


def _twice(source: str, annotations: list[dict]) -> Iterator[str]:
    """What makes mmdet refuse the file, and pycocotools take the last of an id for each of it."""
    numbers = Counter(each['id'] for each in annotations)
    if more := len(annotations) - len(numbers):
        first = next(each for each, number in numbers.items() if number > 1)
        yield (
            f'{source}: annotations that have the id of another: {more}, first {first}; mmdet '
            'reads no such file. Number the annotations from 1, each once'
        )


def _not_to_evaluate(source: str, truths: list[dict]) -> Iterator[str]:
    """What pycocotools does not get right of these annotations of the classes."""
    untold = [each['id'] for each in truths if each.get('iscrowd') is None]
    if untold:
        yield (
            f"{source}: annotations without 'iscrowd': {len(untold)}, first that of id "
            f'{untold[0]}; pycocotools evaluates no such file. Give each "iscrowd": 0'
        )
    names = [each['id'] for each in truths if not _is_number(each['id'])]
    if names:
        yield (
            f'{source}: annotations whose id is no number: {len(names)}, first {names[0]!r}; '
            'pycocotools ends at them. Number the annotations from 1'
        )
    if any(each['id'] in (0, '0') and not each.get('iscrowd') for each in truths):
        yield (
            f'{source}: an annotation has the id 0, and pycocotools takes what it is matched with '
            'for a false alarm. Number the annotations from 1'
        )


def _is_number(value: object) -> bool:
    """Whether NumPy takes it for one, as it takes '7'."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _any(dataset: BaseDetDataset, problems: list[str]) -> Annotations:
    """Of a data set whose files are not known here: what it has made of them."""
    dataset.full_init()
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    labels = _labels_of_file(dataset)
    return _annotations(
        dataset,
        [(info['img_path'], info.get('width', 0), info.get('height', 0)) for info in infos],
        [
            (image, labels[each['bbox_label']], *each['bbox'], bool(each['ignore_flag']))
            for image, info in enumerate(infos)
            for each in info['instances']
        ],
        labels,
    )


def _labels_of_file(dataset: BaseDetDataset) -> Sequence[str]:
    """The classes that a file of mmdet's own format numbers; of any other those of the config."""
    classes = dataset.metainfo['classes']
    if type(dataset).load_data_list is not BaseDataset.load_data_list:
        return classes
    return load(dataset.ann_file)['metainfo'].get('classes', classes)
