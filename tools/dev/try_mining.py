"""A training step with mining switched on, of every kind of one-stage detector that mmdet ships."""

import os
import re
import traceback
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from one_stage import CONFIGS, builds, swap, without_downloads

from mmdet_lrm.mining import element_loss, lrm_loss

# Small networks first: every config of a group has the same head and losses.
SMALL = ('r18', 'r50', '_s_', 'tiny', 'b0', 'regnetx-400', 'mobilenet')
SIDES = (256, 512)  # px; the larger one for heads that need it


def try_group(key: tuple[str, str, str], paths: list[Path]) -> dict:
    """Build the detector of every config, and take one training step with the smallest."""
    paths = sorted(paths, key=lambda path: (not any(s in path.name for s in SMALL), path.name))
    broken = [path for path in paths if not builds(path)]
    if len(broken) < len(paths):
        paths = [path for path in paths if path not in broken]
    swapped = swap(Config.fromfile(paths[0]).model)
    row = dict(detector=key[0], head=key[1], losses=key[2], configs=len(paths), swapped=swapped)
    row |= dict(broken=len(broken))
    row['tried'] = str(paths[0].relative_to(CONFIGS))
    if swapped is None:
        outcome = 'its config names no loss of objectness or classes'
        return row | dict(works=False, outcome=outcome, refused={})
    refused = {}
    for path in paths:
        name = str(path.relative_to(CONFIGS))
        try:
            if 'works' in row:
                model = Config.fromfile(path).model
                swap(model)
                MODELS.build(without_downloads(model))
            else:
                row |= training_step(path) | dict(tried=name)
        except Exception as error:  # the table says what stopped whatever stopped
            refused[name] = reason(error)
    row['refused'] = refused
    if 'works' not in row:
        row |= dict(works=False, outcome=refused[row['tried']])
    return row


def training_step(path: Path) -> dict:
    try:
        return training_step_at(path, SIDES[0])
    except (AssertionError, RuntimeError, ValueError) as error:
        if 'smaller than kernel' not in str(error):
            raise
        return training_step_at(path, SIDES[1])


def training_step_at(path: Path, side: int) -> dict:
    """One step on two images of this many pixels a side."""
    config = Config.fromfile(path)
    swap(config.model)
    torch.manual_seed(0)
    model = MODELS.build(without_downloads(config.model))
    model.train()  # returns nothing in detectors with a teacher
    counts = []  # of what was kept and what there was, in each ranking
    patched = element_loss, lrm_loss
    plain = [module.hard_mask for module in patched]

    def counting(loss, num_hard, valid=None):
        mask = plain[0](loss, num_hard, valid)
        counts.append((int(mask.sum()), int(valid.sum())))
        return mask

    needs_masks = hasattr(model, 'mask_head') or hasattr(model, 'panoptic_head')
    batch = demo_mm_inputs(
        2,
        [[3, side, side], [3, side, side]],
        num_items=[4, 3],
        num_classes=2,
        with_mask=needs_masks or 'Ins' in type(getattr(model, 'bbox_head', None)).__name__,
        with_semantic='panoptic' in path.name,
    )
    try:
        for module in patched:
            module.hard_mask = counting
        data = model.data_preprocessor(batch, training=True)
        losses = model(**data, mode='loss')
        total, _ = model.parse_losses(losses)
        total.backward()
    finally:
        for module, function in zip(patched, plain, strict=True):
            module.hard_mask = function
    gradients = [each.grad for each in model.parameters() if each.grad is not None]
    if not all(each.isfinite().all() for each in gradients):
        raise FloatingPointError('its gradients are not finite')
    if not counts:
        raise ValueError('its head computes the loss by itself, without calling the one given')
    kept, there = (sum(column) for column in zip(*counts, strict=True))
    if kept >= there:
        raise ValueError(f'nothing was left out: {kept} of {there} elements kept')
    return dict(works=True, outcome=f'keeps {kept} of {there}', kept=kept, elements=there)


def reason(error: Exception) -> str:
    """The error in a line, and the file of mmdet that it came from."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if f'{os.sep}mmdet{os.sep}' in frame.filename
    ]
    text = re.sub(r'\s+', ' ', str(error)) or type(error).__name__
    text = text.replace(str(CONFIGS.parents[2]), 'mmdet')[:150]
    return f'{text} ({Path(frames[-1].filename).name})' if frames else text
