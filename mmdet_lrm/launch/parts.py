"""The parts of this package that a config names: built once, before a run writes anything."""

import difflib
import inspect

import mmdet.registry
from mmdet.registry import HOOKS, MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.registry import Registry, init_default_scope

import mmdet_lrm

from ..errors import LaunchError
from ..mining.lrm_loss import Miner
from .nodes import nodes

OURS = {
    name: part for name in mmdet_lrm.__all__ if inspect.isclass(part := getattr(mmdet_lrm, name))
}
MINERS = [name for name, part in OURS.items() if issubclass(part, Miner)]
REGISTRIES = [each for each in vars(mmdet.registry).values() if isinstance(each, Registry)]


def require_parts(cfg: Config) -> None:
    """The model can be built, and whatever else of this package the config names.

    Raises:
        LaunchError: A name is unknown and near to one of ours, an option is unknown or has a value
            that it cannot have. The message begins with the key in the config.
    """
    require_known_parts(cfg)
    for key, node in typed_nodes(cfg):
        if part := OURS.get(node['type']):
            for registry in (HOOKS, TRANSFORMS):
                if registry.get(node['type']) is part:
                    _build(registry, key, node)
    if 'model' in cfg:
        _build(MODELS, 'model', cfg.model)


def require_known_parts(cfg: Config) -> None:
    """The parts of this package that the config names exist, and have the options that it names.

    Raises:
        LaunchError: As :func:`require_parts`, which also builds them.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    for key, node in typed_nodes(cfg):
        require_known(key, node['type'])
        if part := OURS.get(node['type']):
            require_options(key, part, set(node) - {'type', '_scope_'})


def typed_nodes(cfg: Config) -> list[tuple[str, dict]]:
    """The dicts of a config that name a type by a text, with their keys."""
    return [each for each in nodes(cfg._cfg_dict) if isinstance(each[1].get('type'), str)]


def require_known(key: str, name: str) -> None:
    is_miner = key.endswith('.lrm')
    near = difflib.get_close_matches(name, OURS, n=1, cutoff=0.8)
    if name in OURS or not (near or is_miner):
        return
    if any(registry.get(name) for registry in REGISTRIES):
        return
    remedy = f'it may be {" or ".join(MINERS)}' if is_miner else f'is {near[0]} meant?'
    raise LaunchError(f"{key}.type is '{name}', which does not exist; {remedy}")


def require_options(key: str, part: type, given: set[str]) -> None:
    """The class, or one that it passes the rest of its arguments to, takes what is given."""
    allowed = options_of(part)
    if allowed is None or not (unknown := sorted(given - allowed.keys())):
        return
    near = difflib.get_close_matches(unknown[0], allowed, n=1)
    meant = f'is {near[0]} meant? ' if near else ''
    raise LaunchError(
        f'{key} has {", ".join(unknown)}, which {part.__name__} does not take; {meant}It takes '
        f'{", ".join(allowed)}'
    )


def options_of(part: type) -> dict[str, None] | None:
    """Names of a class's arguments, its own first; None if it takes any."""
    names = {}
    for kind in part.__mro__:
        spec = inspect.getfullargspec(kind.__init__)
        names |= dict.fromkeys([*spec.args[1:], *spec.kwonlyargs])
        if spec.varkw is None:
            return names
    return None


def _build(registry: Registry, key: str, node: dict) -> None:
    try:
        registry.build(node)
    except (TypeError, ValueError, KeyError) as error:
        reason = error.args[0] if isinstance(error, KeyError) else error
        raise LaunchError(f'{key} cannot be built: {reason}') from error
