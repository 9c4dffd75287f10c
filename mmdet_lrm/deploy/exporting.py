"""A detector as one file of ONNX: written beside, checked, and only then given its name."""

import copy
import json
import logging
import os
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from mmcv.cnn import fuse_conv_bn
from mmengine.config import Config
from torch import Tensor, nn

from ..launch.models import build_detector
from ..progress import steps
from .detector import Detector, ExportError
from .models import class_names, find_pictures, loading, prepare
from .preprocessing import preprocessing
from .survivors import survivors, with_survivors

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession

# What torch's exporter writes, and what ONNX Runtime has kernels for.
OPSETS = range(18, 22)
DEFAULT_OPSET = 18
# Of the scores, and of boxes by the longer side of the input.
TOLERANCE = 1e-4
MOVED = 0.001  # share of scores that rounding may move over a threshold
CHECKED_PICTURES = 4


def export(
    cfg: Config,
    checkpoint: Path,
    out: Path,
    nms: bool = False,
    opset: int = DEFAULT_OPSET,
    force: bool = False,
    pictures: Sequence[Path] = (),
) -> float:
    """Write the detector of a config and a checkpoint.

    Args:
        cfg: with a test pipeline of one size.
        checkpoint: of that detector.
        out: the file to write.
        nms: put the NMS and ``max_per_img`` of ``test_cfg`` into the graph.
        opset: of ONNX, in OPSETS.
        force: replace a file that exists.
        pictures: on which PyTorch and ONNX Runtime must agree. Default: the first of the test
            dataset.

    Returns:
        The largest difference found, relative to what TOLERANCE is relative to.

    Raises:
        ExportError: something is missing, not supported, or the results differ; nothing is left.
        LaunchError: the checkpoint cannot be read, or is of another network.
    """
    require_modules()
    require_place(out, opset, force)
    model = build_detector(cfg, checkpoint)
    image = preprocessing(cfg, model.data_preprocessor)
    names = class_names(cfg, checkpoint, model.bbox_head.num_classes)
    detector = Detector(model, (image.width, image.height))
    pictures = list(pictures) or find_pictures(cfg, CHECKED_PICTURES)
    if not pictures:
        raise ExportError(
            'there is no picture to compare the results on: the test dataset of the config is not '
            'here; name some with --images'
        )
    data = prepare(model, loading(cfg), pictures)
    facts = dict(
        image._asdict(),
        classes=names,
        nms=nms,
        score_thr=model.bbox_head.test_cfg.get('score_thr', 0),
        **limits(model),
    )
    with steps(2) as begin:
        begin('translating the network')
        decoding = to_onnx(detector, opset)
        written = with_survivors(decoding, **limits(model)) if nms else decoding
        for key, value in facts.items():
            written.metadata_props.add(key=key, value=json.dumps(value))
        begin('comparing with PyTorch on pictures')
        return save_checked(written, out, decoding, detector, data['inputs'])


def limits(model: nn.Module) -> dict:
    """Of its NMS, in the words of :func:`with_survivors`."""
    cfg = model.bbox_head.test_cfg
    return dict(iou_thr=cfg['nms']['iou_threshold'], max_per_img=cfg.get('max_per_img', -1))


def require_modules() -> None:
    for name in ('onnx', 'onnxruntime', 'onnxscript'):
        if find_spec(name) is None:
            raise ExportError(f"the module {name} is missing; pip install 'mmdet_lrm[deploy]'")


def require_place(out: Path, opset: int, force: bool) -> None:
    if opset not in OPSETS:
        raise ExportError(f'--opset is {opset}; it must be {OPSETS[0]} to {OPSETS[-1]}')
    if not out.parent.is_dir():
        raise ExportError(f"'{out}' cannot be written: there is no folder '{out.parent}'")
    if out.is_dir() or (out.exists() and not force):
        raise ExportError(f"'{out}' exists; give another name, or --force to replace a file")


def to_onnx(detector: Detector, opset: int) -> 'ModelProto':
    """The graph of a detector, with batch norm folded, for batches of any size."""
    detector = copy.deepcopy(detector)
    detector.model = fuse_conv_bn(detector.model)
    width, height = detector.size
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        # Of torchvision, whose operators no detector here has.
        logging.getLogger('torch.onnx').setLevel(logging.ERROR)
        program = torch.onnx.export(
            detector,
            (torch.zeros(2, 3, height, width),),
            dynamo=True,
            verbose=False,
            opset_version=opset,
            input_names=['images'],
            output_names=['boxes', 'scores'],
            dynamic_shapes=({0: torch.export.Dim('batch')},),
        )
    return without_traces(program.model_proto)


def without_traces(model: 'ModelProto') -> 'ModelProto':
    """The model without the lines of source, and their paths, that each node came from."""
    graph = model.graph
    for node in graph.node:
        node.ClearField('metadata_props')
        node.ClearField('doc_string')
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.ClearField('metadata_props')
    for part in (graph, model):
        part.ClearField('metadata_props')
        part.ClearField('doc_string')
    graph.ClearField('value_info')
    return model


def save_checked(
    model: 'ModelProto', out: Path, decoding: 'ModelProto', detector: Detector, images: Tensor
) -> float:
    """Write beside, check, rename; whatever goes wrong, nothing but the whole file stays.

    ``decoding`` is the model, or what it does before its NMS.
    """
    import onnx

    beside = out.with_name(f'{out.name}.{os.getpid()}.part')
    try:
        onnx.save(model, beside)
        onnx.checker.check_model(str(beside), full_check=True)
        before_nms = str(beside) if decoding is model else decoding.SerializeToString()
        difference = max_difference(str(beside), before_nms, detector, images)
        if not difference <= TOLERANCE:
            raise ExportError(
                f'the exported file and PyTorch differ by {difference:.2g} of a score or of the '
                f'input size, more than {TOLERANCE:g}; it was not kept. In weights that were not '
                'trained rounding alone can do that'
            )
        os.replace(beside, out)
    finally:
        beside.unlink(missing_ok=True)
    return difference


def max_difference(file: str, before_nms: str | bytes, detector: Detector, images: Tensor) -> float:
    """Of ONNX Runtime from PyTorch: all (N, 3, H, W) images as one batch, and the first alone.

    An NMS is compared on what the file itself gives to it. Were that PyTorch's, rounding would
    decide which of two almost equal boxes drops the other.
    """
    decoding, whole = session(before_nms), session(file)
    differences = []
    for part in (images, images[:1]):
        decoded = decoding.run(None, {'images': part.numpy()})
        with torch.no_grad():
            boxes, scores = (each.numpy() for each in detector(part))
        differences.append(np.abs(decoded[0] - boxes).max() / max(detector.size))
        differences.append(apart(decoded[1], scores))
        if len(whole.get_outputs()) == 3:
            found = whole.run(None, {'images': part.numpy()})
            for one, *candidates in zip(zip(*found, strict=True), *decoded, strict=True):
                kept = survivors(*map(torch.from_numpy, candidates), **limits(detector.model))
                differences.append(unlike(one, [each.numpy() for each in kept], max(detector.size)))
    return float(np.max(differences))  # NaN if one is


def session(model: str | bytes) -> 'InferenceSession':
    """Of a file, or of what one holds."""
    import onnxruntime

    return onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])


def apart(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of scores, in which 0 is dropped; inf if other ones are dropped.

    Rounding may move a few over a threshold, or over the last place of ``nms_pre``.
    """
    both = (found > 0) & (expected > 0)
    either = (found > 0) | (expected > 0)
    if (either & ~both).sum() > MOVED * either.sum():
        return np.inf
    return np.abs(found - expected).max(where=both, initial=0)


def unlike(found: Sequence, expected: Sequence, side: float) -> float:
    """The largest difference of detections; inf if there are more, or of other classes.

    Each is boxes (K, 4), scores (K,), 0 for none, and labels (K,), from high to low.
    """
    boxes, scores, labels = (part[found[1] > 0] for part in found)
    if not np.array_equal(labels, expected[2]):
        return np.inf
    distance = np.abs(boxes - expected[0]).max(initial=0) / side
    return max(distance, np.abs(scores - expected[1]).max(initial=0))
