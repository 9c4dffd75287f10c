"""What a small training has left, to be compared with what another one has."""

import json
from pathlib import Path

import torch

from mmdet_lrm.launch.checkpoints import load_checkpoint

STATES = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')


def result(work_dir: Path) -> tuple[dict, dict, dict]:
    """All that a training leaves: the files, the tensors of each, the metrics of each epoch."""
    files = {path.name: flat(load_checkpoint(path)) for path in work_dir.glob('*.pth*')}
    rows = {}
    for log in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for row in map(json.loads, log.read_text().splitlines()):
            if 'toy/score' in row:
                rows[row['step']] = row['toy/score']
    notes = {path.name: Path(path.read_text()).name for path in work_dir.glob('last_*')}
    return files, rows, notes


def flat(node: object, key: str = '') -> dict:
    """Every number of a checkpoint, without times and paths."""
    if isinstance(node, torch.Tensor):
        return {key: (node.dtype, node.tolist())}
    if isinstance(node, dict):
        found = {}
        for name, each in node.items():
            if name in STATES or key:
                found |= flat(each, f'{key}/{name}')
        return found
    if isinstance(node, (list, tuple)):
        return flat(dict(enumerate(node)), key)
    return {key: node} if key else {}
