"""Small sets of drawn images in the layouts that the configs expect, to train on in tests."""

import json
from pathlib import Path

import cv2
import numpy as np
from mmdet.datasets import CocoDataset

NUM_IMAGES = 4
WIDTH, HEIGHT = 160, 120
OBJECT = (
    '<object><name>{}</name><difficult>{}</difficult><bndbox><xmin>{}</xmin><ymin>{}</ymin>'
    '<xmax>{}</xmax><ymax>{}</ymax></bndbox></object>'
)
KITTI = ('Car', 'Pedestrian')
VOC = ('aeroplane', 'person')
CELLS = ('RBC', 'WBC')


def draw(path, rng):
    """A noisy image with a bright and a dark rectangle, whose corners are returned."""
    image = rng.integers(90, 160, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    x, y = (int(each) for each in rng.integers(5, 40, 2))
    boxes = [(x, y, x + 50, y + 40), (x + 60, y + 10, x + 85, y + 70)]
    for (x1, y1, x2, y2), colour in zip(boxes, (250, 5), strict=True):
        cv2.rectangle(image, (x1, y1), (x2, y2), (colour,) * 3, -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)
    return boxes


def draw_kitti(root, rng):
    line = '{} 0.00 0 0.00 {:.2f} {:.2f} {:.2f} {:.2f} 1.5 1.6 3.9 1.0 1.5 20.0 0.00\n'
    frames = [f'{index:06d}' for index in range(NUM_IMAGES)]
    (root / 'training/label_2').mkdir(parents=True)
    (root / 'ImageSets').mkdir()
    for frame in frames:
        boxes = draw(root / f'training/image_2/{frame}.png', rng)
        text = ''.join(line.format(*each) for each in named(KITTI, boxes))
        (root / f'training/label_2/{frame}.txt').write_text(text)
    for split in ('train', 'val'):
        (root / f'ImageSets/{split}.txt').write_text('\n'.join(frames) + '\n')


def draw_voc(root, rng, classes, lists):
    """``root/JPEGImages`` and so on; the last object of the first image is difficult."""
    names = [f'{index:06d}' for index in range(NUM_IMAGES)]
    (root / 'Annotations').mkdir(parents=True)
    (root / 'ImageSets/Main').mkdir(parents=True)
    for index, name in enumerate(names):
        boxes = draw(root / f'JPEGImages/{name}.jpg', rng)
        objects = ''.join(
            OBJECT.format(kind, int(index == 0 and kind == classes[-1]), *box)
            for kind, *box in named(classes, boxes)
        )
        size = f'<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>'
        text = f'<annotation>{size}{objects}</annotation>'
        (root / f'Annotations/{name}.xml').write_text(text)
    for split in lists:
        (root / f'ImageSets/Main/{split}.txt').write_text('\n'.join(names) + '\n')


def draw_coco(root, rng, classes, splits):
    """``root/annotations`` and a folder of images each; the first annotation is a crowd."""
    (root / 'annotations').mkdir(parents=True)
    categories = [dict(id=index + 1, name=name) for index, name in enumerate(classes)]
    for file, folder in splits.items():
        images, annotations = [], []
        for index in range(NUM_IMAGES):
            boxes = draw(root / folder / f'{index}.jpg', rng)
            images.append(dict(id=index, file_name=f'{index}.jpg', width=WIDTH, height=HEIGHT))
            for category, (x1, y1, x2, y2) in enumerate(boxes):
                box = [x1, y1, x2 - x1, y2 - y1]
                annotations.append(
                    dict(
                        id=len(annotations) + 1,
                        image_id=index,
                        category_id=category + 1,
                        bbox=box,
                        area=box[2] * box[3],
                        iscrowd=int(not annotations),
                    )
                )
        labels = dict(images=images, annotations=annotations, categories=categories)
        (root / 'annotations' / file).write_text(json.dumps(labels))


def named(names, boxes):
    return [(name, *box) for name, box in zip(names, boxes, strict=True)]


def draw_sets(root: Path) -> dict[str, str]:
    """One of every layout; environment variables that name their folders."""
    rng = np.random.default_rng(0)
    draw_kitti(root / 'kitti', rng)
    for year, lists in (('2007', ('trainval', 'test')), ('2012', ('trainval',))):
        draw_voc(root / f'voc/VOC{year}', rng, VOC, lists)
    draw_voc(root / 'bccd/VOC2007', rng, CELLS, ('train', 'val', 'test'))
    splits = {'instances_train2017.json': 'train2017', 'instances_val2017.json': 'val2017'}
    draw_coco(root / 'coco', rng, CocoDataset.METAINFO['classes'], splits)
    draw_voc(root / 'mine', rng, CELLS, ('train', 'val'))
    draw_coco(root / 'mine', rng, (*CELLS, 'Platelets'), {'train.json': 'train', 'val.json': 'val'})
    names = dict(KITTI='kitti', VOC='voc', COCO='coco', BCCD='bccd', DATA='mine')
    return {f'{variable}_ROOT': str(root / folder) for variable, folder in names.items()}
