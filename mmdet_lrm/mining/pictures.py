"""Pictures of what is detected and of what Loss Rank Mining keeps."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from mmdet.models.utils import unpack_gt_instances
from mmengine.dataset import pseudo_collate
from torch import nn

# RGB
POSITIVE = (60, 230, 90)
HARD_NEGATIVE = (255, 70, 60)
IGNORED = (170, 170, 170)
TITLE_HEIGHT = 28  # px


class MinedPriors(NamedTuple):
    """The priors of one image that train."""

    centers: np.ndarray
    """(K, 2) x, y in px of the image file."""
    positive: np.ndarray
    """(K,) bool, whether an object is assigned to the prior."""
    num_priors: int
    """P, of all priors of the image."""


@torch.no_grad()
def mined_priors(model: nn.Module, sample: dict) -> MinedPriors:
    """What the mining of a model keeps of one image.

    Args:
        model: a detector whose ``bbox_head`` is one of this package's, with ``lrm``.
        sample: an item of a dataset whose pipeline loads the annotations, then resizes, and does
            not move the image.

    Raises:
        ValueError: the head has no ``lrm``.
    """
    head = model.bbox_head
    if getattr(head, 'lrm', None) is None:
        raise ValueError(
            f'{type(head).__name__} has no lrm, so nothing is mined; give the model of a config '
            'with model.bbox_head.lrm'
        )
    data = model.data_preprocessor(pseudo_collate([sample]), training=False)
    outs = head(model.extract_feat(data['inputs']))
    truths, ignored, metas = unpack_gt_instances(data['data_samples'])
    prior_losses = head.prior_losses(*outs, truths, metas, ignored)
    mask = head.lrm.hard_mask(prior_losses)[0].cpu()
    grids = [pred_map.shape[-2:] for pred_map in outs[0]]
    priors = torch.cat(head.prior_generator.grid_priors(grids, device='cpu'))
    centers = (priors[:, :2] + priors[:, 2:]) / 2 / torch.tensor(metas[0]['scale_factor'])
    return MinedPriors(
        centers[mask].numpy(), prior_losses.positive[0].cpu()[mask].numpy(), len(priors)
    )


def draw_boxes(
    image: np.ndarray,
    bboxes: np.ndarray,
    labels: Sequence[str],
    colours: Sequence[tuple[int, int, int]],
) -> np.ndarray:
    """A copy of an (H, W, 3) uint8 image with boxes (n, 4) in px and a word above each."""
    image = image.copy()
    for (x1, y1, x2, y2), label, colour in zip(
        np.rint(bboxes).astype(int).tolist(), labels, colours, strict=True
    ):
        cv2.rectangle(image, (x1, y1), (x2, y2), colour, 2)
        cv2.putText(image, label, (x1, max(y1 - 4, 10)), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1)
    return image


def draw_mined(image: np.ndarray, mined: MinedPriors) -> np.ndarray:
    """A dimmed copy of an (H, W, 3) uint8 image with the mined priors' centres.

    Priors of one cell share their centre, so a larger dot stands for more of them. Negatives are
    drawn first.
    """
    image = (image * 0.45).astype(np.uint8)
    for positive, colour in ((False, HARD_NEGATIVE), (True, POSITIVE)):
        cells, counts = np.unique(
            mined.centers[mined.positive == positive], axis=0, return_counts=True
        )
        for (x, y), count in zip(np.rint(cells).astype(int).tolist(), counts, strict=True):
            cv2.circle(image, (x, y), 3 + int(count) + 2 * positive, colour, -1, cv2.LINE_AA)
    return image


def side_by_side(panels: Sequence[tuple[str, np.ndarray]], columns: int = 2) -> np.ndarray:
    """Titled panels of equal size in rows; (H, W, 3) uint8, the last row filled with white."""
    titled = [np.vstack([_title(text, image.shape[1]), image]) for text, image in panels]
    titled += [np.full_like(titled[0], 255)] * (-len(titled) % columns)
    rows = [np.hstack(titled[i : i + columns]) for i in range(0, len(titled), columns)]
    return np.vstack(rows)


def _title(text: str, width: int) -> np.ndarray:
    bar = np.full((TITLE_HEIGHT, width, 3), 255, np.uint8)
    cv2.putText(bar, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (20, 20, 20), 1, cv2.LINE_AA)
    return bar
