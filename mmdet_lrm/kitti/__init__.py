"""KITTI's 2D objects. Its files are read and evaluated without torch and mmdet."""

import importlib

_NEED_MMDET = {'KittiDataset': 'dataset', 'KittiMetric': 'metric'}
__all__ = ['KittiDataset', 'KittiMetric']


def __getattr__(name: str) -> type:
    """What needs mmdet, imported when it is asked for."""
    if name not in _NEED_MMDET:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f'.{_NEED_MMDET[name]}', __name__), name)
