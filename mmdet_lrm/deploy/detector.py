"""A detector as one function of its input: boxes and scores, by tensor operations alone.

Letters: N images, A base priors per cell, P priors of one image over all levels, C classes. Boxes
are x1, y1, x2, y2 in input pixels.
"""

from collections.abc import Callable, Sequence

import torch
from mmdet.models.dense_heads import SSDHead, YOLOV3Head
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder, YOLOBBoxCoder
from mmdet.models.task_modules.coders.delta_xywh_bbox_coder import delta2bbox
from torch import Tensor, nn

from ..darknet.coder import ScaledYOLOBBoxCoder
from ..errors import UserError
from ..heads import LRMSSDHead, LRMYOLOV3Head, YOLOV2Head
from ..heads.yolo_boxes import decode_boxes


class ExportError(UserError):
    """A detector, a config or a wish that cannot be exported."""


class Detector(nn.Module):
    """Backbone, neck, head and decoding of a detector, for inputs of one size.

    Its answer is all that ``predict_by_feat`` weighs before the NMS: what the thresholds and
    ``nms_pre`` of ``test_cfg`` drop has the score 0.

    Args:
        model: A detector in evaluation mode, without test-time augmentation.
        size: Width and height of the input in px.

    Raises:
        ExportError: its head, or an option of it, is none that is decoded here.
    """

    def __init__(self, model: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        head = getattr(model, 'bbox_head', None)
        check_head(head)
        self.model = model
        self.size = size
        self.decode = DECODERS[type(head)]
        with torch.no_grad():
            device = next(model.parameters()).device
            maps = self.maps(torch.zeros(1, 3, size[1], size[0], device=device))
            levels = maps[0]
            grids = [tuple(level.shape[-2:]) for level in levels]
            priors = head.prior_generator.grid_priors(grids, device=device)
        self.num_priors = sum(map(len, priors))
        for level, each in enumerate(priors):
            self.register_buffer(f'priors_{level}', each, persistent=False)
        self.num_levels = len(priors)

    def maps(self, images: Tensor) -> tuple[Sequence[Tensor], ...]:
        return self.model.bbox_head(self.model.extract_feat(images))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) normalised images to (N, P, 4) boxes and (N, P, C) scores."""
        return self.boxes_and_scores(self.maps(images))

    def boxes_and_scores(self, maps: tuple[Sequence[Tensor], ...]) -> tuple[Tensor, Tensor]:
        """The same of what the head's ``forward`` gave."""
        priors = [self.get_buffer(f'priors_{level}') for level in range(self.num_levels)]
        head = self.model.bbox_head
        boxes, scores = self.decode(head, maps, priors)
        if clips(head):
            width, height = self.size
            limits = boxes.new_tensor([width, height, width, height])
            boxes = boxes.clamp(min=0).minimum(limits)
        if head.test_cfg.get('min_bbox_size', -1) >= 0:  # it is 0
            sides = boxes[..., 2:] - boxes[..., :2]
            scores = scores * (sides > 0).all(dim=-1, keepdim=True)
        return boxes, scores


def check_head(head: nn.Module | None) -> None:
    """Raise ExportError unless the head, its coder and its NMS are what is decoded here."""
    if type(head) not in DECODERS:
        allowed = ', '.join(kind.__name__ for kind in DECODERS)
        raise ExportError(
            f'the model has the head {type(head).__name__}; those that can be exported are '
            f'{allowed}'
        )
    coder = type(head.bbox_coder)
    if coder not in (YOLOBBoxCoder, ScaledYOLOBBoxCoder, DeltaXYWHBBoxCoder):
        raise ExportError(
            f'bbox_head.bbox_coder is {coder.__name__}; YOLOBBoxCoder, ScaledYOLOBBoxCoder and '
            'DeltaXYWHBBoxCoder can be exported'
        )
    nms = dict(head.test_cfg.get('nms') or {})
    if nms.pop('type', 'nms') != 'nms' or set(nms) != {'iou_threshold'}:
        raise ExportError(
            f"test_cfg.nms is {dict(head.test_cfg.get('nms') or {})}; dict(type='nms', "
            'iou_threshold=...) can be exported'
        )
    if head.test_cfg.get('min_bbox_size', -1) > 0:
        raise ExportError(
            f'test_cfg.min_bbox_size is {head.test_cfg.min_bbox_size}, in pixels of the picture, '
            'which an exported file does not know; set it to 0'
        )


def clips(head: nn.Module) -> bool:
    """Whether boxes end at the border of the input."""
    if isinstance(head, SSDHead):
        return head.bbox_coder.clip_border
    return isinstance(head, YOLOV2Head) and head.test_cfg.get('clip_to_image', False)


def keep_top(scores: Tensor, number: int) -> Tensor:
    """(N, P, C) scores with all but the highest ``number`` of each image set to 0; -1 keeps all."""
    flat = scores.flatten(1)
    if not 0 < number < flat.shape[1]:
        return scores
    least = flat.topk(number, dim=1).values[:, -1:, None]
    return torch.where(scores >= least, scores, 0)


def above(scores: Tensor, threshold: float) -> Tensor:
    """Scores with those up to the threshold set to 0."""
    return torch.where(scores > threshold, scores, 0)


def by_prior(level: Tensor, num_base_priors: int) -> Tensor:
    """A map (N, A * D, H, W) to (N, P, D) float32, in the order of mmdet's generators."""
    cells = level.float().permute(0, 2, 3, 1)
    return cells.unflatten(-1, (num_base_priors, -1)).flatten(1, 3)


def decode_yolov2(head: YOLOV2Head, maps: tuple, priors: Sequence[Tensor]) -> tuple:
    ((level,),) = maps
    preds = by_prior(level, head.num_base_priors)
    boxes = decode_boxes(head.bbox_coder, priors[0], preds, head.stride)
    logits = preds[..., 5:]
    probs = logits.sigmoid() if head.use_sigmoid_cls else logits.softmax(dim=-1)
    scores = above(preds[..., 4:5].sigmoid() * probs, head.test_cfg.get('score_thr', 0))
    return boxes, keep_top(scores, head.test_cfg.get('nms_pre', -1))


def decode_yolov3(head: YOLOV3Head, maps: tuple, priors: Sequence[Tensor]) -> tuple:
    """As the parent's predict_by_feat: thresholds and nms_pre look at classes, NMS at products."""
    (levels,) = maps
    # The parent bounds no width; at 3000 times its prior none is told from another.
    decoded = [
        (decode_boxes(head.bbox_coder, each, preds, stride), preds)
        for each, preds, stride in zip(
            priors,
            (by_prior(level, head.num_base_priors) for level in levels),
            head.featmap_strides,
            strict=True,
        )
    ]
    boxes, preds = (torch.cat(each, dim=1) for each in zip(*decoded, strict=True))
    cfg, conf = head.test_cfg, preds[..., 4:5].sigmoid()
    probs = above(preds[..., 5:].sigmoid(), cfg.get('score_thr', 0))
    if (conf_thr := cfg.get('conf_thr', -1)) > 0:
        probs = torch.where(conf >= conf_thr, probs, 0)
    return boxes, keep_top(probs, cfg.get('nms_pre', -1)) * conf


def decode_ssd(head: SSDHead, maps: tuple, priors: Sequence[Tensor]) -> tuple:
    """As the parent's predict_by_feat, in which nms_pre counts by level."""
    cfg, coder = head.test_cfg, head.bbox_coder
    level_scores, level_deltas = [], []
    for cls_scores, deltas, num_base_priors in zip(*maps, head.num_base_priors, strict=True):
        probs = by_prior(cls_scores, num_base_priors).softmax(dim=-1)[..., :-1]
        level_scores.append(keep_top(above(probs, cfg.get('score_thr', 0)), cfg.get('nms_pre', -1)))
        level_deltas.append(by_prior(deltas, num_base_priors))
    deltas, priors = torch.cat(level_deltas, dim=1), torch.cat(tuple(priors))
    boxes = delta2bbox(
        priors.expand_as(deltas).flatten(0, 1),
        deltas.flatten(0, 1),
        coder.means,
        coder.stds,
        clip_border=False,
        add_ctr_clamp=coder.add_ctr_clamp,
        ctr_clamp=coder.ctr_clamp,
    )
    return boxes.unflatten(0, (-1, len(priors))), torch.cat(level_scores, dim=1)


# What a subclass changes is unknown, so a type stands for itself alone.
DECODERS: dict[type, Callable] = {
    YOLOV2Head: decode_yolov2,
    YOLOV3Head: decode_yolov3,
    LRMYOLOV3Head: decode_yolov3,
    SSDHead: decode_ssd,
    LRMSSDHead: decode_ssd,
}
