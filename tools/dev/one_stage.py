"""Try Loss Rank Mining in the one-stage detectors that mmdet ships, by a line of their config each.

python tools/dev/head_table.py
    what is not yet in results/heads.json, then the table
python tools/dev/head_table.py --render
    the table alone

Every config of a one-stage detector is taken. In its head the loss of objectness, heat map or
classes becomes an LRMElementLoss around itself, or, where mmdet_lrm has a head of its own, it
gets `lrm`. The detector is built from it; of the configs that share detector, head and losses, one
runs a training step on drawn images, forward and backward. It works if the step ends with finite
gradients and the mining has left elements out.
"""

import argparse
import json
import os
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

import mmdet
import torch
from mmdet.models.detectors import SingleStageDetector
from mmdet.models.detectors.single_stage_instance_seg import SingleStageInstanceSegmentor
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmdet.utils import register_all_modules
from mmengine.config import Config, ConfigDict
from mmengine.logging import MessageHub

from mmdet_lrm.mining import element_loss, lrm_loss

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / 'results' / 'heads.json'
DOCUMENT = ROOT / 'docs' / 'heads.md'
CONFIGS = Path(mmdet.__file__).parent / '.mim' / 'configs'
ONE_STAGE = (SingleStageDetector, SingleStageInstanceSegmentor)
# The loss that sees the background, by preference.
LOSSES = ('loss_conf', 'loss_obj', 'loss_center_heatmap', 'loss_heatmap', 'loss_cls')
OWN_HEADS = {'YOLOV3Head': 'LRMYOLOV3Head', 'SSDHead': 'LRMSSDHead'}
RATIO = 0.25
# Small networks first: every config of a group has the same head and losses.
SMALL = ('r18', 'r50', '_s_', 'tiny', 'b0', 'regnetx-400', 'mobilenet')
SIDES = (256, 512)  # px; the larger one for heads that need it


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--render', action='store_true', help='render the results that exist')
    parser.add_argument('--only', help='names of detectors or heads that contain this')
    args = parser.parse_args()
    register_all_modules()
    # Some ask how far the training is: TOOD has another loss in its first epochs.
    MessageHub.get_current_instance().update_info_dict(dict(iter=0, epoch=100))
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    if not args.render:
        done = {(row['detector'], row['head'], row['losses']) for row in rows}
        for key, paths in groups().items():
            if key in done or (args.only and args.only.lower() not in ' '.join(key).lower()):
                continue
            row = try_group(key, paths)
            print(f'{row["detector"]}, {row["head"]}: {row["outcome"]}', flush=True)
            rows.append(row)
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(rows, indent=1) + '\n')
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(document(rows))
    print(f'{sum(row["works"] for row in rows)} of {len(rows)} work; table: {DOCUMENT}')


def groups() -> dict[tuple[str, str, str], list[Path]]:
    """The configs by detector, head and losses."""
    found = {}
    for path, model in one_stage_models():
        _, head = head_of(model)
        losses = {k: v['type'] for k, v in head.items() if k.startswith('loss') and 'type' in v}
        key = (model.type, head.get('type', 'none'), ', '.join(losses.values()) or 'its own')
        found.setdefault(key, []).append(path)
    return dict(sorted(found.items()))


def one_stage_models() -> Iterator[tuple[Path, ConfigDict]]:
    for path in sorted(CONFIGS.glob('*/*.py')):
        if path.parent.name == '_base_':
            continue
        try:
            model = Config.fromfile(path).get('model')
        except (ImportError, FileNotFoundError):  # needs a package or file that mmdet lacks
            continue
        detector = MODELS.get(model.type) if model and isinstance(model.type, str) else None
        if detector is not None and issubclass(detector, ONE_STAGE):
            yield path, model


def head_of(model: ConfigDict) -> tuple[str, ConfigDict]:
    for name in ('bbox_head', 'rpn_head', 'panoptic_head', 'mask_head'):
        if isinstance(model.get(name), dict):
            return name, model[name]
    return 'bbox_head', ConfigDict()


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


def builds(path: Path) -> bool:
    """Whether mmdet builds the detector as its config has it."""
    try:
        MODELS.build(without_downloads(Config.fromfile(path).model))
    except Exception:
        return False
    return True


def swap(model: ConfigDict) -> str | None:
    """Switch the mining on in place; what was changed, None if there is nothing to change."""
    _, head = head_of(model)
    if head.get('type') in OWN_HEADS:
        head.update(type=OWN_HEADS[head['type']], lrm=dict(type='LRMLoss', hard_ratio=RATIO))
        return f'type, lrm ({head["type"]})'
    for name in LOSSES:
        if isinstance(head.get(name), dict):
            head[name].update(type='LRMElementLoss', loss=head[name]['type'], hard_ratio=RATIO)
            return name
    return None


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


def without_downloads(model: ConfigDict) -> ConfigDict:
    """Random weights in place of pre-trained ones, which the check does not need."""

    def strip(node):
        if isinstance(node, dict):
            if isinstance(node.get('init_cfg'), dict) and node.init_cfg.get('type') == 'Pretrained':
                node.init_cfg = None
            for value in node.values():
                strip(value)
        elif isinstance(node, list | tuple):
            for value in node:
                strip(value)

    strip(model)
    model.pop('teacher_ckpt', None)
    if 'teacher_config' in model:  # is relative to the folder of the configs
        model.teacher_config = str(CONFIGS.parent / model.teacher_config)
    return model


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


def document(rows: list[dict]) -> str:
    working = [row for row in rows if row['works']]
    lines = [
        '# Loss Rank Mining in the one-stage detectors of MMDetection',
        '',
        f'By one line of the config each, `tools/dev/head_table.py` switched the mining on in '
        f'{sum(row["configs"] for row in rows)} configs that mmdet ships, of {len(rows)} kinds '
        f'of detector, head and losses. It works in {len(working)} kinds, which are '
        f'{sum(row["configs"] for row in working)} configs. '
        f'{sum(row["broken"] for row in rows)} further ones do not build in mmdet itself as they '
        f'are, without an optional package, and are left out. Each detector was built, and one of '
        f'each kind took a training step on two images of {SIDES[0]} x {SIDES[0]} pixels, or '
        f'larger ones; "keeps" is how many elements its ranking kept.',
        '',
        '| detector | head | configs | key that changed | losses of the head | works |',
        '| --- | --- | ---: | --- | --- | --- |',
    ]
    for row in sorted(rows, key=lambda row: (not row['works'], row['detector'], row['head'])):
        verdict = ('yes, ' if row['works'] else 'no: ') + row['outcome'].replace('|', '/')
        if row['works'] and row['refused']:
            verdict += '; but ' + ', '.join(f'`{k}`: {v}' for k, v in row['refused'].items())
        lines.append(
            f'| {row["detector"]} | {row["head"]} | {row["configs"]} | {row["swapped"] or "-"} '
            f'| {row["losses"]} | {verdict} |'
        )
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    main()
