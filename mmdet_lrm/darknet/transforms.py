"""Darknet's ways to bring an image to the size of the input, and to vary it in training."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import autocast_box_type


@TRANSFORMS.register_module()
class DarknetLetterbox(BaseTransform):
    """Scale an image to fit a canvas, with its aspect ratio kept, and lay it on the middle.

    ``letterbox_image`` of darknet's ``image.c``. Boxes follow. The left and upper margins become
    the meta key ``letterbox``, by which the heads of this package return boxes to the image:
    ``PackDetInputs.meta_keys`` must list it beside ``scale_factor``.

    Args:
        scale: Width and height of the canvas in px.
        fill: Grey value of the canvas; darknet's is half of the range.
    """

    def __init__(self, scale: tuple[int, int], fill: float = 127.5) -> None:
        self.scale = tuple(scale)
        self.fill = fill

    @autocast_box_type()
    def transform(self, results: dict) -> dict:
        height, width = results['img'].shape[:2]
        canvas_width, canvas_height = self.scale
        if canvas_width * height < canvas_height * width:
            new_width, new_height = canvas_width, max(height * canvas_width // width, 1)
        else:
            new_width, new_height = max(width * canvas_height // height, 1), canvas_height
        left, top = (canvas_width - new_width) // 2, (canvas_height - new_height) // 2
        results['scale_factor'] = (new_width / width, new_height / height)
        results['letterbox'] = (left, top)
        return _place(results, self.scale, self.fill, left, top, new_width, new_height)


@TRANSFORMS.register_module()
class DarknetJitter(BaseTransform):
    """Change an image's aspect ratio at random and place it at random on a grey canvas.

    (1) The aspect ratio is that of a rectangle whose sides differ from the image's by up to
    ``jitter`` of them each. (2) With this ratio the image fills one side of the canvas. (3) It lies
    anywhere on it. Boxes follow; those that are left with less than 0.001 of a side of the canvas
    go (``load_data_detection`` and ``fill_truth_detection`` of darknet's ``data.c``).

    Args:
        scale: Width and height of the canvas in px.
        jitter: In [0, 1).
        fill: Grey value of the canvas; darknet's is half of the range.
    """

    def __init__(self, scale: tuple[int, int], jitter: float = 0.3, fill: float = 127.5) -> None:
        if not 0 <= jitter < 1:
            raise ValueError(f'DarknetJitter.jitter is {jitter}; it must lie in [0, 1)')
        self.scale = tuple(scale)
        self.jitter = jitter
        self.fill = fill

    def placement(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, top, width and height in px of the image of this size on the canvas."""
        canvas_width, canvas_height = self.scale
        # 1
        change_width, change_height = np.random.uniform(-self.jitter, self.jitter, 2)
        ratio = width * (1 + change_width) / (height * (1 + change_height))
        # 2: darknet asks for a ratio below 1, which is the same for its square canvas.
        if ratio < canvas_width / canvas_height:
            new_width, new_height = canvas_height * ratio, canvas_height
        else:
            new_width, new_height = canvas_width, canvas_width / ratio
        new_width, new_height = max(round(new_width), 1), max(round(new_height), 1)
        # 3
        left = round(np.random.uniform(0, canvas_width - new_width))
        top = round(np.random.uniform(0, canvas_height - new_height))
        return left, top, new_width, new_height

    @autocast_box_type()
    def transform(self, results: dict) -> dict:
        height, width = results['img'].shape[:2]
        placement = self.placement(width, height)
        results = _place(results, self.scale, self.fill, *placement)
        if results.get('gt_bboxes') is not None:
            boxes = results['gt_bboxes']
            boxes.clip_(results['img_shape'])
            canvas_width, canvas_height = self.scale
            kept = (boxes.widths >= 0.001 * canvas_width).numpy()
            kept &= (boxes.heights >= 0.001 * canvas_height).numpy()
            results['gt_bboxes'] = boxes[kept]
            for key in ('gt_bboxes_labels', 'gt_ignore_flags'):
                if key in results:
                    results[key] = results[key][kept]
        return results


def _place(
    results: dict,
    scale: tuple[int, int],
    fill: float,
    left: int,
    top: int,
    new_width: int,
    new_height: int,
) -> dict:
    """The image at this size and place on a grey canvas, and its boxes with it."""
    height, width = results['img'].shape[:2]
    resized = cv2.resize(results['img'], (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    # A grey image has no third axis.
    image = np.full((scale[1], scale[0], *resized.shape[2:]), fill, resized.dtype)
    image[top : top + new_height, left : left + new_width] = resized
    results['img'] = image
    results['img_shape'] = image.shape[:2]
    if results.get('gt_bboxes') is not None:
        results['gt_bboxes'].rescale_((new_width / width, new_height / height))
        results['gt_bboxes'].translate_((left, top))
    return results


@TRANSFORMS.register_module()
class DarknetHSV(BaseTransform):
    """Shift the hue, and scale saturation and value, each at random.

    Darknet's ``random_distort_image``: the hue moves by up to ``hue`` of its circle, and a factor
    is uniform in [1, bound] or, as often, the inverse of such a number.

    Args:
        hue: In [0, 0.5].
        saturation: Bound of the saturation's factor, >= 1.
        exposure: Bound of the value's factor, >= 1.
    """

    def __init__(self, hue: float = 0.1, saturation: float = 1.5, exposure: float = 1.5) -> None:
        if not (0 <= hue <= 0.5 and saturation >= 1 and exposure >= 1):
            raise ValueError(
                f'DarknetHSV has hue={hue}, saturation={saturation} and exposure={exposure}; hue '
                f'must lie in [0, 0.5], the others be at least 1'
            )
        self.hue = hue
        self.saturation = saturation
        self.exposure = exposure

    def transform(self, results: dict) -> dict:
        results['img'] = distort(
            results['img'],
            np.random.uniform(-self.hue, self.hue),
            _random_scale(self.saturation),
            _random_scale(self.exposure),
        )
        return results


def distort(image: np.ndarray, hue: float, saturation: float, exposure: float) -> np.ndarray:
    """An (H, W, 3) uint8 BGR image with its hue moved by ``hue`` turns, and the factors applied."""
    hsv = cv2.cvtColor(image.astype(np.float32), cv2.COLOR_BGR2HSV)
    # OpenCV takes a hue from 0 up to two turns for what it is.
    change = [[1, 0, 0, 360 * (hue % 1)], [0, saturation, 0, 0], [0, 0, exposure, 0]]
    bgr = cv2.cvtColor(cv2.transform(hsv, np.array(change)), cv2.COLOR_HSV2BGR)
    # Too large a saturation would make a channel negative: darknet cuts the colours, not it.
    return cv2.convertScaleAbs(np.maximum(bgr, 0, out=bgr))


def _random_scale(bound: float) -> float:
    factor = np.random.uniform(1, bound)
    return factor if np.random.random() < 0.5 else 1 / factor
