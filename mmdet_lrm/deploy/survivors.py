"""The NMS of a detector: as nodes of ONNX, laid behind boxes and scores, and by mmcv."""

from typing import TYPE_CHECKING

import torch
from mmcv.ops import nms
from torch import Tensor

if TYPE_CHECKING:
    from onnx import ModelProto

# N images, P priors, C classes, K detections an image. Survivors get back their scores in a plane
# of zeros, of which the K highest are the detections: so all images of a batch have K rows.
GRAPH = """
<ir_version: {ir_version}, opset_import: ["" : {opset}]>
survivors (float[batch, {priors}, 4] all_boxes, float[batch, {priors}, {classes}] all_scores)
    => (float[batch, {limit}, 4] boxes, float[batch, {limit}] scores, int64[batch, {limit}] labels)
<
    int64 every = {{ {priors} }}, float iou_thr = {{ {iou_thr} }}, float zero = {{ 0 }},
    int64[1] limit = {{ {limit} }}, int64 priors = {{ {priors} }},
    int64[2] flat = {{ 0, -1 }}, int64[1] last = {{ 2 }}
>
{{
    by_class = Transpose<perm = [0, 2, 1]> (all_scores)
    kept = NonMaxSuppression (all_boxes, by_class, every, iou_thr, zero)
    kept_scores = GatherND (by_class, kept)
    shape = Shape (by_class)
    empty = ConstantOfShape (shape)
    plane = ScatterND (empty, kept, kept_scores)
    row = Reshape (plane, flat)
    scores, places = TopK (row, limit)
    labels = Div (places, priors)
    prior = Mod (places, priors)
    inds = Unsqueeze (prior, last)
    boxes = GatherND<batch_dims = 1> (all_boxes, inds)
}}
"""


def with_survivors(model: 'ModelProto', iou_thr: float, max_per_img: int) -> 'ModelProto':
    """The model with the NMS behind it.

    Its outputs become boxes (N, K, 4), scores (N, K) from high to low, and labels (N, K). Each
    image has K rows, of which those with a score of 0 are none.

    Args:
        model: with the outputs boxes (N, P, 4) and scores (N, P, C), 0 for what is dropped.
        iou_thr: above which, of two boxes of one class, the lower is dropped.
        max_per_img: K is this, or P * C if that is less, or if this is negative.
    """
    import onnx.parser
    from onnx import compose

    scores = model.graph.output[1].type.tensor_type.shape.dim
    priors, classes = scores[1].dim_value, scores[2].dim_value
    candidates = priors * classes
    text = GRAPH.format(
        ir_version=model.ir_version,
        opset=model.opset_import[0].version,
        priors=priors,
        classes=classes,
        limit=min(max_per_img, candidates) if max_per_img >= 0 else candidates,
        iou_thr=iou_thr,
    )
    nms = onnx.parser.parse_model(text)
    return compose.merge_models(
        compose.add_prefix(model, 'all_', rename_inputs=False),
        compose.add_prefix(nms, 'nms_', rename_inputs=False, rename_outputs=False),
        io_map=[('all_boxes', 'all_boxes'), ('all_scores', 'all_scores')],
    )


def survivors(
    boxes: Tensor, scores: Tensor, iou_thr: float, max_per_img: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (K, 4), scores (K,) and labels (K,), from high to low, of one image by mmcv's NMS.

    Class by class: ``batched_nms`` moves each class to a place of its own, which rounds the boxes.
    Of equal scores the first is the better, as in ONNX; mmcv's sort leaves it open.

    Args:
        boxes: (P, 4).
        scores: (P, C), 0 for what is dropped.
        iou_thr: as in :func:`with_survivors`.
        max_per_img: the largest K; -1 for any.
    """
    priors, labels = scores.nonzero(as_tuple=True)
    boxes, scores = boxes[priors], scores[priors, labels]
    kept = [labels[:0]]
    for label in labels.unique():
        inds = (labels == label).nonzero().flatten()
        inds = inds[scores[inds].argsort(descending=True, stable=True)]
        ranks = torch.arange(len(inds), 0, -1, device=boxes.device, dtype=boxes.dtype)
        kept.append(inds[nms(boxes[inds], ranks, iou_thr)[1]])
    kept = torch.cat(kept)
    order = scores[kept].argsort(descending=True, stable=True)
    kept = kept[order][: max_per_img if max_per_img >= 0 else None]
    return boxes[kept], scores[kept], labels[kept]
