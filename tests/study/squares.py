"""Images of squares with truths and detections, for errors that can be worked by hand."""

import numpy as np

from mmdet_lrm.study.errors import Detected, judge


def square(x, y=0, side=10):
    return x, y, x + side, y + side


def image(truths=(), found=(), ignored=()):
    """Of (class, box), (class, score, box) and boxes."""
    boxes, given = (
        np.array([each[-1] for each in of], float).reshape(-1, 4) for of in (truths, found)
    )
    labels, classes = (np.array([each[0] for each in of], int) for of in (truths, found))
    scores = np.array([each[1] for each in found], float)
    regions = np.array(ignored, float).reshape(-1, 4)
    return Detected('', boxes, labels, regions, given, classes, scores)


def judged(*images, num_classes=2):
    return judge(images, [0.5] * num_classes)


# Squares of 10 px, one moved by 3 px beside the other: IoU 7 / 13; by 5 px: 1 / 3; by 9 px: 1 / 19.
TRUTHS = [(0, square(0)), (0, square(100)), (1, square(200)), (1, square(300)), (0, square(400))]
FOUND = [
    (0, 0.9, square(0)),
    (0, 0.8, square(3)),
    (0, 0.7, square(105)),
    (0, 0.6, square(200)),
    (0, 0.5, square(305)),
    (1, 0.4, square(500)),
    (1, 0.3, square(409)),
]
