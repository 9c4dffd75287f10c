"""Objects of KITTI's files in columns, and the error that names all that is wrong in such files."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from ..errors import UserError

KITTI_TYPES = (
    'Car',
    'Van',
    'Truck',
    'Pedestrian',
    'Person_sitting',
    'Cyclist',
    'Tram',
    'Misc',
    'DontCare',
)
# A detector of the class is neither right nor wrong on its neighbour.
NEIGHBOURS = {'Car': 'Van', 'Pedestrian': 'Person_sitting'}
# What a result says of all that a 2D detector does not know, before and behind its box.
UNKNOWN_BEFORE_BOX = '-1 -1 -10'
UNKNOWN_BEHIND_BOX = '-1 -1 -1 -1000 -1000 -1000 -10'
MAX_SHOWN_PROBLEMS = 20


class KittiDataError(UserError):
    """All that is wrong with a set of files, at once.

    The message has the number of problems and the first ``MAX_SHOWN_PROBLEMS`` of them.

    Attributes:
        problems: every problem, one line of text each, beginning with the file and, where there
            is one, the line: ``label_2/000001.txt:3: ...``.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        num = len(self.problems)
        text = [f'{num} problem{"s" if num > 1 else ""} in the KITTI files:']
        text += self.problems[:MAX_SHOWN_PROBLEMS]
        if num > MAX_SHOWN_PROBLEMS:
            text.append(f'... and {num - MAX_SHOWN_PROBLEMS} more')
        super().__init__('\n'.join(text))


@dataclass(frozen=True, eq=False)
class KittiObjects:
    """N objects of any number of frames, in columns, sorted by frame, then by line.

    Attributes:
        frame: (N,) int, index of the object's frame in the list of files that was read.
        line: (N,) int, line in its file, from 1; 0 for objects that were never in a file.
        types: (N,) str.
        truncated: (N,) share outside the image in [0, 1], or -1 for unknown.
        occluded: (N,) int, 0 visible, 1 partly, 2 largely occluded, 3 unknown, or -1.
        alpha: (N,) observation angle in [-pi, pi], or -10 for unknown.
        bbox: (N, 4) x1, y1, x2, y2 in pixels.
        dimensions: (N, 3) height, width, length in metres, or -1.
        location: (N, 3) x, y, z in camera coordinates in metres, or -1000.
        rotation_y: (N,) in [-pi, pi], or -10 for unknown.
        score: (N,), or None for labels.
    """

    frame: np.ndarray
    line: np.ndarray
    types: np.ndarray
    truncated: np.ndarray
    occluded: np.ndarray
    alpha: np.ndarray
    bbox: np.ndarray
    dimensions: np.ndarray
    location: np.ndarray
    rotation_y: np.ndarray
    score: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, inds: np.ndarray | slice) -> 'KittiObjects':
        """The objects that a slice, a mask or integers select, as a new set of columns."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return KittiObjects(
            **{name: None if column is None else column[inds] for name, column in columns.items()}
        )

    @classmethod
    def from_detections(
        cls, frame: np.ndarray, types: np.ndarray, bbox: np.ndarray, score: np.ndarray
    ) -> 'KittiObjects':
        """Detections that were never in a file; what a 2D detector does not know is unknown.

        Args:
            frame: (N,) int, ascending.
            types: (N,) str.
            bbox: (N, 4) x1, y1, x2, y2 in pixels.
            score: (N,).

        Raises:
            ValueError: a box or score that is not finite.
        """
        num = len(frame)
        check_finite(bbox, score)
        return cls(
            frame=np.asarray(frame, dtype=np.int64),
            line=np.zeros(num, dtype=np.int64),
            types=np.asarray(types, dtype=str),
            truncated=np.full(num, -1.0),
            occluded=np.full(num, -1),
            alpha=np.full(num, -10.0),
            bbox=np.asarray(bbox, dtype=np.float64).reshape(-1, 4),
            dimensions=np.full((num, 3), -1.0),
            location=np.full((num, 3), -1000.0),
            rotation_y=np.full(num, -10.0),
            score=np.asarray(score, dtype=np.float64),
        )

    @property
    def height(self) -> np.ndarray:
        """(N,) heights of the boxes in pixels."""
        return self.bbox[:, 3] - self.bbox[:, 1]

    @property
    def width(self) -> np.ndarray:
        """(N,) widths of the boxes in pixels."""
        return self.bbox[:, 2] - self.bbox[:, 0]


def check_finite(bbox: np.ndarray, score: np.ndarray) -> None:
    for name, values in (('boxes', bbox), ('scores', score)):
        num = int((~np.isfinite(np.asarray(values, dtype=np.float64))).sum())
        if num:
            raise ValueError(
                f'the {name} of the detections have {num} values that are not finite; the model '
                'that made them has diverged, or its checkpoint is damaged'
            )
