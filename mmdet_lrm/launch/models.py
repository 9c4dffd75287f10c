"""The detector of a config and a checkpoint, ready to answer."""

from pathlib import Path

from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from ..errors import LaunchError
from .checkpoints import load_checkpoint


def build_detector(cfg: Config, checkpoint: Path | None = None) -> nn.Module:
    """In evaluation mode, on the CPU, with all its weights, or random ones without a checkpoint.

    Raises:
        LaunchError: the checkpoint cannot be read, or is of another network.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = MODELS.build(without_init(cfg.model))
    if checkpoint is not None:
        load_weights(model, checkpoint)
    return model.eval()


def without_init(node: object) -> object:
    """The config of a model without what it starts a training from, which might be downloaded."""
    if isinstance(node, dict):
        return type(node)({k: without_init(v) for k, v in node.items() if k != 'init_cfg'})
    return type(node)(map(without_init, node)) if isinstance(node, (list, tuple)) else node


def load_weights(model: nn.Module, checkpoint: Path) -> None:
    loaded = load_checkpoint(checkpoint)
    state = loaded.get('state_dict', loaded) if isinstance(loaded, dict) else {}
    try:
        missing = set(model.load_state_dict(state, strict=False).missing_keys)
    except RuntimeError as error:  # of other shapes; torch names each in a line
        reason = str(error).splitlines()[1].strip()
        raise LaunchError(
            f"'{checkpoint}' is of another network than the config: {reason}"
        ) from error
    # Counters of a training take no part in an answer.
    missing = sorted(key for key in missing if not key.endswith(('batches_tracked', 'images_seen')))
    if missing:
        raise LaunchError(
            f"'{checkpoint}' is of another network than the config: it lacks {len(missing)} "
            f'parameters, {missing[0]} first'
        )
