"""Detect in pictures by a file of tools/export_onnx.py; needs numpy, OpenCV and ONNX Runtime only.

python run_onnx.py MODEL.onnx IMAGE... --out DIR

This one file stands alone and can be copied to a device. It writes DIR/detections.json, by picture
a list of {"label", "class", "score", "bbox": [x1, y1, x2, y2] in pixels of the picture}, and the
pictures with their boxes drawn.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime


class Problem(Exception):
    """What the user can mend; shown alone."""


class Model:
    """An exported detector: called with a BGR picture, it returns boxes, scores and labels."""

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        Path(path).stat()  # so that a missing file is called by that
        try:
            self.session = onnxruntime.InferenceSession(str(path), options)
            stored = self.session.get_modelmeta().custom_metadata_map
            self.facts = {key: json.loads(value) for key, value in stored.items()}
            self.size = self.facts['width'], self.facts['height']
        except Exception as error:  # the errors of ONNX Runtime have no base of their own
            reason = str(error).splitlines()[0]
            raise Problem(f"'{path}' is no model of tools/export_onnx.py: {reason}") from error
        self.mean, self.std = np.float32([self.facts['mean'], self.facts['std']])[..., None, None]

    def __call__(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(K, 4) boxes x1, y1, x2, y2 in pixels of the picture, (K,) scores and (K,) labels."""
        inputs, scale, offset = self.prepare(picture)
        outputs = [each[0] for each in self.session.run(None, {'images': inputs})]
        boxes, scores, labels = outputs if self.facts['nms'] else self.survivors(*outputs)
        found = scores > 0
        boxes = (boxes[found] - np.float32(offset * 2)) / np.float32(scale * 2)
        return boxes, scores[found], labels[found]

    def prepare(self, picture: np.ndarray) -> tuple[np.ndarray, tuple, tuple]:
        """The (1, 3, H, W) input, its pixels by one of the picture (x, y), and left, top margin."""
        height, width = picture.shape[:2]
        letterbox = self.facts['resize'] == 'letterbox'
        size = fitting(width, height, self.size) if letterbox else self.size
        left, top = ((all_ - part) // 2 for all_, part in zip(self.size, size, strict=True))
        canvas = np.full((*self.size[::-1], 3), self.facts['fill'], np.uint8)
        canvas[top : top + size[1], left : left + size[0]] = cv2.resize(picture, size)
        if self.facts['channels'] == 'RGB':
            canvas = canvas[..., ::-1]
        inputs = canvas.transpose(2, 0, 1).astype(np.float32, order='C')
        inputs -= self.mean
        inputs /= self.std
        return inputs[None], (size[0] / width, size[1] / height), (left, top)

    def survivors(self, boxes: np.ndarray, scores: np.ndarray) -> tuple:
        """NMS by class of (P, 4) boxes and (P, C) scores, from high to low."""
        priors, labels = np.nonzero(scores)
        boxes, scores = boxes[priors], scores[priors, labels]
        order = np.argsort(-scores, kind='stable')
        boxes, scores, labels = boxes[order], scores[order], labels[order]
        kept = np.zeros(len(scores), bool)
        for label in np.unique(labels):
            inds = np.flatnonzero(labels == label)
            kept[inds[nms(boxes[inds], self.facts['iou_thr'])]] = True
        limit = self.facts['max_per_img']
        kept = np.flatnonzero(kept)[: limit if limit >= 0 else None]
        return boxes[kept], scores[kept], labels[kept]


def fitting(width: int, height: int, canvas: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the picture scaled to fit the canvas, rounded as darknet does."""
    if canvas[0] * height < canvas[1] * width:
        return canvas[0], max(height * canvas[0] // width, 1)
    return max(width * canvas[1] // height, 1), canvas[1]


def nms(boxes: np.ndarray, iou_thr: float) -> list[int]:
    """Indices of those of (n, 4) boxes, from the best on, that none kept before overlaps."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left, kept = np.arange(len(boxes)), []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        ends, starts = np.minimum(boxes[best], boxes[left]), np.maximum(boxes[best], boxes[left])
        both = (ends[:, 2:] - starts[:, :2]).clip(min=0).prod(axis=1)
        left = left[both <= iou_thr * (areas[best] + areas[left] - both)]
    return kept


def drawn(picture: np.ndarray, found: list[dict]) -> np.ndarray:
    picture = picture.copy()
    for each in found[::-1]:
        color = [(each['label'] + 1) * step % 224 for step in (197, 71, 139)]
        x1, y1, x2, y2 = (round(value) for value in each['bbox'])
        cv2.rectangle(picture, (x1, y1), (x2, y2), color, 2)
        text = f'{each["class"]} {each["score"]:.2f}'
        cv2.putText(picture, text, (x1 + 2, max(y1, 0) + 14), 0, 0.5, color, 1, cv2.LINE_AA)
    return picture


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('model', type=Path, metavar='MODEL.onnx')
    parser.add_argument('images', type=Path, nargs='+', metavar='IMAGE')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR')
    parser.add_argument('--score-thr', type=float, default=0.3, help='default %(default)s')
    parser.add_argument('--threads', type=int, default=1, help='default %(default)s')
    return parser.parse_args()


def run(args: argparse.Namespace) -> str:
    if len({path.name for path in args.images}) < len(args.images):
        raise Problem('two of the pictures have one name, and would replace each other in DIR')
    if args.out.resolve() in {path.resolve().parent for path in args.images}:
        raise Problem(f"'{args.out}' holds pictures given, which drawn ones would replace")
    model, everything = Model(args.model, args.threads), {}
    args.out.mkdir(parents=True, exist_ok=True)
    for path in args.images:
        picture = cv2.imread(str(path))
        if picture is None:
            raise Problem(f"'{path}' is no picture that OpenCV can read")
        everything[path.name] = found = [
            {'label': label, 'class': model.facts['classes'][label], 'score': score, 'bbox': box}
            for box, score, label in zip(*(each.tolist() for each in model(picture)), strict=True)
            if score > args.score_thr
        ]
        if not cv2.imwrite(str(args.out / path.name), drawn(picture, found)):
            raise Problem(f"'{args.out / path.name}' cannot be written")
    beside = args.out / f'detections.json.{os.getpid()}.part'
    beside.write_text(json.dumps(everything, indent=1))
    os.replace(beside, args.out / 'detections.json')
    return f'{sum(map(len, everything.values()))} objects in {len(everything)} pictures: {args.out}'


if __name__ == '__main__':
    try:
        print(run(parse_args()))
    except (Problem, OSError, cv2.error) as error:
        sys.exit(f'error: {error}')
