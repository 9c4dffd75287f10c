"""Drawn street scenes in KITTI's layout, for trying things out without a download.

A pinhole camera like KITTI's (focal length 721 px, 1.65 m above the road) looks down a street.
Objects stand on the road at random depths and are painted from far to near, so their sizes follow
the perspective, and a nearer object hides a farther one by as many pixels as it covers. Labels are
in the official format; what they say of occlusion and truncation is counted in the drawing.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

IMAGE_SIZE = (1242, 375)  # width, height in px: KITTI's commonest
FOCAL_LENGTH = 721.5  # px
CAMERA_HEIGHT = 1.65  # m
STAMP = 'drawn.json'
STAMP_KEYS = {'num_train', 'num_val', 'seed', 'version', 'complete'}  # at least
FOLDERS = ('training/image_2', 'training/label_2', 'ImageSets')
VERSION = 1  # of the drawing; another one draws other images

Rng = np.random.Generator


@dataclass
class Thing:
    """One object to draw and, unless it is only decoration, to label.

    Attributes:
        kind: a KITTI type, or None for look-alikes without a label.
        box: x1, y1, x2, y2 in px before the image's border cuts it.
        depth: distance in m.
        size: height and width in m.
    """

    kind: str | None
    box: tuple[float, float, float, float]
    depth: float
    size: tuple[float, float]


def draw_kitti(
    root: str | Path,
    num_train: int = 240,
    num_val: int = 80,
    seed: int = 0,
    parked: bool = False,
) -> Path:
    """Draw a data set: ``training/image_2``, ``training/label_2`` and ``ImageSets`` under ``root``.

    The same arguments give the same files, byte for byte; a frame depends on the seed and its own
    number only. A set that is there already is kept.

    Args:
        root: folder to fill; new, empty, or drawn by this function before.
        num_train: frames of ``ImageSets/train.txt``, at least 1.
        num_val: frames of ``ImageSets/val.txt``, at least 1.
        seed: at least 0.
        parked: also draw rows of cars that stand side by side and touch, so that one class is
            frequent and dense.

    Returns:
        ``root``.

    Raises:
        ValueError: a number is too small.
        FileExistsError: ``root`` holds something that was not drawn here.
    """
    root = Path(root)
    if num_train < 1 or num_val < 1 or seed < 0:
        raise ValueError(
            f'num_train is {num_train}, num_val {num_val} and seed {seed}; a drawn set needs at '
            'least one frame of each split and a seed of at least 0'
        )
    wanted = dict(num_train=num_train, num_val=num_val, seed=seed, version=VERSION)
    if parked:
        wanted |= dict(parked=True)
    stamp = root / STAMP
    if _drawn_as(root) == wanted | dict(complete=True):
        return root
    # What an earlier drawing made goes; its stamp last, so that an interruption is known as ours.
    for folder in FOLDERS:
        shutil.rmtree(root / folder, ignore_errors=True)
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
    # An interrupted drawing is known as ours, and as incomplete.
    stamp.write_text(json.dumps(wanted | dict(complete=False)))
    frames = [f'{index:06d}' for index in range(num_train + num_val)]
    _draw_frames(root, frames, seed, parked)
    (root / 'ImageSets/train.txt').write_text('\n'.join(frames[:num_train]) + '\n')
    (root / 'ImageSets/val.txt').write_text('\n'.join(frames[num_train:]) + '\n')
    stamp.write_text(json.dumps(wanted | dict(complete=True)))
    return root


def _draw_frames(root: Path, frames: Sequence[str], seed: int, parked: bool) -> None:
    def draw(index: int) -> None:
        image, labels = draw_frame(np.random.default_rng([seed, index]), parked)
        cv2.imwrite(str(root / f'training/image_2/{frames[index]}.jpg'), image)
        (root / f'training/label_2/{frames[index]}.txt').write_text(''.join(labels))

    # Most of the work is OpenCV's and numpy's, which let other threads run meanwhile.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        drawing = pool.map(draw, range(len(frames)))
        for _ in tqdm(drawing, desc='drawing', unit='frame', total=len(frames)):
            pass


def _drawn_as(root: Path) -> dict | None:
    """The stamp of the set drawn under ``root``, None if there is nothing yet.

    Raises:
        FileExistsError: any file is not one that a drawing makes.
    """
    if not root.exists() or not any(root.iterdir()):
        return None
    try:
        stamp = json.loads((root / STAMP).read_text())
    except (OSError, ValueError):
        stamp = None
    # A folder that a user filled may hold a file of the stamp's name: both must look drawn.
    ours = isinstance(stamp, dict) and stamp.keys() >= STAMP_KEYS
    made = {STAMP, 'training', *FOLDERS, 'ImageSets/train.txt', 'ImageSets/val.txt'}
    for path in root.rglob('*') if ours else ():
        name, folder = path.relative_to(root).as_posix(), path.parent.relative_to(root).as_posix()
        frame = folder in FOLDERS[:2] and re.fullmatch(r'\d{6}\.(jpg|txt)', path.name)
        ours = ours and (name in made or bool(frame))
    if not ours:
        raise FileExistsError(
            f'{root} holds files that were not drawn here; give a new folder for the drawn set'
        )
    return stamp


def draw_frame(rng: Rng, parked: bool = False) -> tuple[np.ndarray, list[str]]:
    """One scene: (375, 1242, 3) uint8 BGR image and the lines of its label file."""
    width, height = IMAGE_SIZE
    horizon = height * rng.uniform(0.42, 0.5)
    canvas = _background(rng, horizon)
    things = _place_things(rng, horizon) + (_park_cars(rng, horizon) if parked else [])
    things.sort(key=lambda thing: -thing.depth)
    owner = np.full((height, width), -1, dtype=np.int16)  # the thing that each pixel shows
    areas = []
    for index, thing in enumerate(things):
        shape = _paint(rng, canvas, thing)
        owner[shape] = index
        areas.append(shape.sum())
    crowds = [_crowd(rng, canvas, horizon) for _ in range(rng.choice(3, p=[0.4, 0.4, 0.2]))]
    labels = []
    for index, thing in enumerate(things):
        visible = (owner == index).sum() / max(areas[index], 1)
        if thing.kind is not None and visible > 0.05:
            labels.append(_label(thing, visible))
    labels += [_dontcare(box) for box in crowds]
    noise = rng.standard_normal((height, width, 1), dtype=np.float32) * rng.uniform(2, 9)
    image = canvas * rng.uniform(0.65, 1.2) + rng.uniform(-12, 12) + noise
    return image.clip(0, 255).astype(np.uint8), labels


def _place_things(rng: Rng, horizon: float) -> list[Thing]:
    """Objects and look-alikes at random places of the street; now and then none at all."""
    sizes = {  # height in m, narrowest and widest view in m
        'Car': (1.5, 1.6, 3.9),
        'Van': (2.1, 1.9, 4.8),
        'Truck': (3.1, 2.5, 7.0),
        'Pedestrian': (1.75, 0.5, 0.8),
        'Cyclist': (1.75, 0.6, 1.7),
        None: (1.3, 0.5, 1.6),
    }
    kinds, shares = zip(
        ('Car', 0.42),
        ('Van', 0.06),
        ('Truck', 0.02),
        ('Pedestrian', 0.2),
        ('Cyclist', 0.15),
        (None, 0.15),
        strict=True,
    )
    num = 0 if rng.random() < 0.06 else rng.integers(3, 12)
    things = []
    for kind in rng.choice(np.array(kinds, dtype=object), num, p=shares):
        tall, narrow, wide = sizes[kind]
        tall *= rng.uniform(0.9, 1.1)
        across = narrow if rng.random() < 0.5 else rng.uniform(narrow, wide)
        nearest = 5 if kind in ('Pedestrian', 'Cyclist', None) else 7
        depth = 1 / rng.uniform(1 / 60, 1 / nearest)
        scale = FOCAL_LENGTH / depth
        x = IMAGE_SIZE[0] * rng.uniform(0.0, 1.0)
        bottom = horizon + scale * CAMERA_HEIGHT * rng.uniform(0.95, 1.05)
        box = (x - scale * across / 2, bottom - scale * tall, x + scale * across / 2, bottom)
        things.append(Thing(kind, box, depth, (tall, across)))
    return things


def _park_cars(rng: Rng, horizon: float) -> list[Thing]:
    """One to three rows across the street, of cars seen from behind, a step from car to car."""
    things = []
    for depth in rng.uniform(8, 11) * np.cumprod(rng.uniform(1.2, 1.6, rng.integers(1, 4))):
        scale = FOCAL_LENGTH / depth
        step = rng.uniform(1.75, 2.1) * scale  # px from car to car, which are 1.6 to 1.9 m wide
        first = rng.uniform(0, 0.6) * IMAGE_SIZE[0]
        bottom = horizon + scale * CAMERA_HEIGHT
        for x in first + step * np.arange(rng.integers(4, 10)):
            tall, across = rng.uniform(1.35, 1.65), rng.uniform(1.6, 1.9)
            left = x - scale * across / 2
            box = (left, bottom - scale * tall, left + scale * across, bottom)
            things.append(Thing('Car', box, depth, (tall, across)))
    return things


def _label(thing: Thing, visible: float) -> str:
    """A line of a label file; the box is cut at the image's border."""
    x1, y1, x2, y2 = thing.box
    width, height = IMAGE_SIZE
    cut = (max(x1, 0), max(y1, 0), min(x2, width - 1), min(y2, height - 1))
    if cut[0] >= cut[2] or cut[1] >= cut[3]:
        return ''
    truncated = 1 - (cut[2] - cut[0]) * (cut[3] - cut[1]) / ((x2 - x1) * (y2 - y1))
    occluded = next(level for level, least in enumerate((0.9, 0.5, 0.2, 0)) if visible >= least)
    tall, across = thing.size
    place = ((x1 + x2) / 2 - width / 2) * thing.depth / FOCAL_LENGTH
    return (
        f'{thing.kind} {truncated:.2f} {occluded} 0.00 '
        f'{cut[0]:.2f} {cut[1]:.2f} {cut[2]:.2f} {cut[3]:.2f} '
        f'{tall:.2f} {across:.2f} {across:.2f} '
        f'{place:.2f} {CAMERA_HEIGHT:.2f} {thing.depth:.2f} 0.00\n'
    )


def _dontcare(box: tuple[int, int, int, int]) -> str:
    x1, y1, x2, y2 = box
    columns = f'{x1:.2f} {y1:.2f} {x2:.2f} {y2:.2f}'
    return f'DontCare -1 -1 -10 {columns} -1 -1 -1 -1000 -1000 -1000 -10\n'


def _background(rng: Rng, horizon: float) -> np.ndarray:
    """Sky, houses, trees, road, poles: (H, W, 3) float32."""
    width, height = IMAGE_SIZE
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    sky = np.array([230, 200, 170], np.float32) * rng.uniform(0.6, 1.1)
    canvas = np.broadcast_to(sky + 30 * rows, (height, width, 3)).copy()
    base = int(horizon)
    grass = tuple(rng.uniform([40, 70, 50], [90, 140, 100]))
    cv2.rectangle(canvas, (0, base), (width, height), grass, -1)
    road = tuple([rng.uniform(70, 130)] * 3)
    vanishing = int(width * rng.uniform(0.42, 0.58))
    left, right = int(-0.3 * width), int(1.3 * width)
    corners = [(vanishing - 6, base), (vanishing + 6, base), (right, height), (left, height)]
    cv2.fillPoly(canvas, [np.array(corners)], road)
    for share in np.linspace(0.05, 0.95, 7):  # lane marks
        near = int(left + share * (right - left))
        for start, end in ((0.1, 0.16), (0.25, 0.38), (0.55, 0.8)):
            ends = [
                (int(vanishing + t * (near - vanishing)), int(base + t * (height - base)))
                for t in (start, end)
            ]
            cv2.line(canvas, *ends, (200, 200, 200), 1 + int(4 * end))
    for _ in range(rng.integers(4, 10)):
        _house(rng, canvas, base)
    for _ in range(rng.integers(3, 12)):
        _tree(rng, canvas, base)
    for _ in range(rng.integers(2, 8)):
        x, top = int(rng.integers(0, width)), int(rng.uniform(0.1, 0.9) * base)
        foot = int(base + rng.uniform(0, 60))
        cv2.line(canvas, (x, top), (x, foot), (60, 60, 60), int(rng.integers(1, 6)))
        if rng.random() < 0.5:
            colour = tuple(rng.uniform(0, 255, 3))
            cv2.circle(canvas, (x, top), int(rng.integers(4, 14)), colour, -1)
    return cv2.GaussianBlur(canvas, (3, 3), 0)


def _house(rng: Rng, canvas: np.ndarray, base: int) -> None:
    x, wide = int(rng.integers(-60, canvas.shape[1])), int(rng.integers(60, 260))
    top = int(base * rng.uniform(0.05, 0.7))
    wall = rng.uniform(80, 210, 3)
    cv2.rectangle(canvas, (x, top), (x + wide, base + 8), tuple(wall), -1)
    step = int(rng.integers(16, 40))
    for window_x in range(x + 6, x + wide - step // 2, step):
        for window_y in range(top + 8, base - step // 2, step):
            corner = (window_x + step // 2, window_y + step // 2)
            cv2.rectangle(canvas, (window_x, window_y), corner, tuple(wall * 0.5), -1)


def _tree(rng: Rng, canvas: np.ndarray, base: int) -> None:
    x, radius = int(rng.integers(0, canvas.shape[1])), int(rng.integers(12, 60))
    foot = base + int(rng.uniform(0, 40))
    crown = foot - int(radius * rng.uniform(1.2, 2.5))
    cv2.line(canvas, (x, foot), (x, crown), (40, 60, 80), max(2, radius // 6))
    for _ in range(8):
        center = (x + int(rng.normal(0, radius / 2)), crown + int(rng.normal(0, radius / 2)))
        green = tuple(rng.uniform([20, 60, 20], [70, 140, 80]))
        cv2.circle(canvas, center, max(2, int(radius * rng.uniform(0.3, 0.6))), green, -1)


def _crowd(rng: Rng, canvas: np.ndarray, horizon: float) -> tuple[int, int, int, int]:
    """A cluster of people or cars too small to tell apart; its box, inside the image."""
    width = IMAGE_SIZE[0]
    x1, wide, tall = int(rng.integers(5, width - 130)), int(rng.integers(40, 120)), 16
    y1 = int(horizon) - 2
    for _ in range(rng.integers(5, 14)):
        x = x1 + rng.uniform(0, wide - 14)
        high = rng.uniform(8, tall)
        wide_one = high * rng.choice([0.4, 1.6])
        kind = 'Pedestrian' if wide_one < high else 'Car'
        box = (x, y1 + tall - high, min(x + wide_one, x1 + wide), y1 + tall)
        _paint(rng, canvas, Thing(kind, box, 80.0, (1.7, 1.0)))
    return x1, y1, x1 + wide, y1 + tall


def _paint(rng: Rng, canvas: np.ndarray, thing: Thing) -> np.ndarray:
    """Paint a thing onto the canvas; (H, W) bool mask of the pixels that it covers."""
    shape = np.zeros(canvas.shape[:2], np.uint8)
    _PAINTERS[thing.kind](rng, _Brush(canvas, shape, thing.box))
    return shape.astype(bool)


class _Brush:
    """Draws in the coordinates of a box, 0..1 from left to right and from top to bottom."""

    def __init__(self, canvas: np.ndarray, shape: np.ndarray, box: tuple) -> None:
        self.canvas, self.shape = canvas, shape
        self.corner = np.array(box[:2])
        self.size = np.array(box[2:]) - self.corner

    def polygon(self, points: list[tuple[float, float]], colour: np.ndarray) -> None:
        pixels = np.rint(self.corner + np.array(points) * self.size).astype(np.int32)
        cv2.fillPoly(self.canvas, [pixels], tuple(map(float, colour)))
        cv2.fillPoly(self.shape, [pixels], 1)

    def rectangle(self, x1: float, y1: float, x2: float, y2: float, colour: np.ndarray) -> None:
        self.polygon([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], colour)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, colour: np.ndarray, filled: bool = True
    ) -> None:
        center = np.rint(self.corner + np.array([x, y]) * self.size).astype(int).tolist()
        axes = np.maximum(1, np.rint(np.array([rx, ry]) * self.size)).astype(int).tolist()
        thick = -1 if filled else max(1, int(self.size[1] / 25))
        colour = tuple(map(float, colour))
        cv2.ellipse(self.canvas, center, axes, 0, 0, 360, colour, thick)
        cv2.ellipse(self.shape, center, axes, 0, 0, 360, 1, thick)


DARK = np.array([35.0, 30, 30])
SKIN = np.array([140.0, 170, 210])


def _paint_car(rng: Rng, brush: _Brush) -> None:
    paint = rng.uniform(20, 240, 3)
    brush.ellipse(0.5, 0.97, 0.5, 0.05, DARK)
    inset = rng.uniform(0.08, 0.25)
    cabin = [(inset, 0.45), (inset + 0.1, 0.0), (0.9 - inset, 0.0), (1 - inset, 0.45)]
    brush.polygon(cabin, paint * 0.9)
    glass = [(inset + 0.06, 0.42), (inset + 0.13, 0.08), (0.87 - inset, 0.08), (0.94 - inset, 0.42)]
    brush.polygon(glass, rng.uniform(50, 110, 3))
    brush.rectangle(0.0, 0.4, 1.0, 0.82, paint)
    brush.rectangle(0.02, 0.68, 0.98, 0.8, paint * 0.6)
    for x in (0.06, 0.94):
        brush.ellipse(x, 0.55, 0.05, 0.06, np.array([60.0, 60, 230]))
    for x in (0.2, 0.8):
        brush.ellipse(x, 0.84, 0.11, 0.16, DARK)
        brush.ellipse(x, 0.84, 0.05, 0.07, np.array([150.0, 150, 150]))


def _paint_box_car(rng: Rng, brush: _Brush) -> None:
    """Van or truck: one high box with a windscreen."""
    paint = rng.uniform(60, 245, 3)
    brush.rectangle(0.0, 0.0, 1.0, 0.88, paint)
    brush.rectangle(0.06, 0.08, rng.uniform(0.3, 0.94), 0.38, rng.uniform(50, 110, 3))
    brush.rectangle(0.0, 0.72, 1.0, 0.86, paint * 0.6)
    for x in (0.18, 0.82):
        brush.ellipse(x, 0.89, 0.1, 0.11, DARK)


def _paint_person(rng: Rng, brush: _Brush) -> None:
    coat, trousers = rng.uniform(10, 240, 3), rng.uniform(10, 150, 3)
    stride = rng.uniform(0.05, 0.3)
    for side in (-1, 1):
        foot = 0.5 + side * stride
        leg = [(0.36, 0.5), (0.64, 0.5), (foot + 0.13, 1.0), (foot - 0.13, 1.0)]
        brush.polygon(leg, trousers)
    brush.rectangle(0.2, 0.16, 0.8, 0.55, coat)
    brush.rectangle(0.05, 0.2, 0.2, 0.5, coat * 0.8)
    brush.rectangle(0.8, 0.2, 0.95, 0.5, coat * 0.8)
    brush.ellipse(0.5, 0.09, 0.2, 0.09, SKIN * rng.uniform(0.4, 1.1))


def _paint_cyclist(rng: Rng, brush: _Brush) -> None:
    from_side = brush.size[0] > 0.6 * brush.size[1]
    wheels = ((0.22, 0.22), (0.78, 0.22)) if from_side else ((0.5, 0.08),)
    for x, radius in wheels:
        brush.ellipse(x, 0.78, radius, 0.21, DARK, filled=not from_side)
    frame = rng.uniform(20, 230, 3)
    brush.polygon([(0.22, 0.76), (0.5, 0.5), (0.78, 0.76), (0.5, 0.8)], frame)
    coat = rng.uniform(10, 240, 3)
    brush.polygon([(0.3, 0.56), (0.38, 0.16), (0.66, 0.16), (0.7, 0.56)], coat)
    brush.polygon([(0.42, 0.5), (0.6, 0.5), (0.58, 0.88), (0.46, 0.88)], coat * 0.5)
    brush.ellipse(0.54, 0.09, 0.14 if from_side else 0.22, 0.09, SKIN * rng.uniform(0.4, 1.1))


def _paint_look_alike(rng: Rng, brush: _Brush) -> None:
    """A bin, a hedge, a box at the kerb: the shape of an object and none of its parts."""
    paint = rng.uniform(30, 200, 3)
    if rng.random() < 0.5:
        brush.rectangle(0.0, 0.1, 1.0, 1.0, paint)
        brush.rectangle(0.0, 0.0, 1.0, 0.14, paint * 0.6)
    else:
        for _ in range(12):
            green = rng.uniform([20, 60, 20], [70, 140, 80])
            brush.ellipse(*rng.uniform(0.2, 0.8, 2), 0.2, 0.2, green)


_PAINTERS: dict[str | None, Callable[[Rng, _Brush], None]] = {
    'Car': _paint_car,
    'Van': _paint_box_car,
    'Truck': _paint_box_car,
    'Pedestrian': _paint_person,
    'Cyclist': _paint_cyclist,
    None: _paint_look_alike,
}
