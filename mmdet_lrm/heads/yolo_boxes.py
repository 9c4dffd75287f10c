"""Boxes from the raw predictions of a YOLO head."""

import torch
from mmdet.models.task_modules.coders import YOLOBBoxCoder
from torch import Tensor

# exp(8) = 2981 times the prior: no box of an image is that large, and its square is still finite.
MAX_LOG_RATIO = 8.0


def decode_boxes(coder: YOLOBBoxCoder, priors: Tensor, preds: Tensor, stride: int) -> Tensor:
    """(N, P, 4) boxes in input pixels of priors (P, 4) and raw tx, ty, tw, th, ... (N, P, >= 4)."""
    sizes = preds[..., 2:4].clamp(max=MAX_LOG_RATIO)
    return coder.decode(priors, torch.cat([preds[..., :2].sigmoid(), sizes], dim=-1), stride)
