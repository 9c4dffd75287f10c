"""The one-stage detectors that mmdet ships, and how each config of one switches mining on."""

from collections.abc import Iterator
from pathlib import Path

import mmdet
from mmdet.models.detectors import SingleStageDetector
from mmdet.models.detectors.single_stage_instance_seg import SingleStageInstanceSegmentor
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict

CONFIGS = Path(mmdet.__file__).parent / '.mim' / 'configs'
ONE_STAGE = (SingleStageDetector, SingleStageInstanceSegmentor)
# The loss that sees the background, by preference.
LOSSES = ('loss_conf', 'loss_obj', 'loss_center_heatmap', 'loss_heatmap', 'loss_cls')
OWN_HEADS = {'YOLOV3Head': 'LRMYOLOV3Head', 'SSDHead': 'LRMSSDHead'}
RATIO = 0.25


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
