from .dataset import KittiDataset
from .metric import KittiMetric

__all__ = ['KittiDataset', 'KittiMetric']
