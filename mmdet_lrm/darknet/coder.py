"""YOLO's coder with AlexeyAB's ``scale_x_y``."""

from mmdet.models.task_modules.coders import YOLOBBoxCoder
from mmdet.registry import TASK_UTILS
from torch import Tensor, cat


@TASK_UTILS.register_module()
class ScaledYOLOBBoxCoder(YOLOBBoxCoder):
    """YOLOBBoxCoder whose sigmoid of a centre reaches beyond its cell, to meet borders of cells.

    The centre lies at ``s * sigmoid(t) - (s - 1) / 2`` of the cell (darknet's ``[yolo]`` layer).

    Args:
        scale_x_y: s, >= 1; 1 is YOLOBBoxCoder.
        eps: As there.
    """

    def __init__(self, scale_x_y: float = 1.0, eps: float = 1e-6, **kwargs) -> None:
        super().__init__(eps=eps, **kwargs)
        if scale_x_y < 1:
            raise ValueError(f'scale_x_y is {scale_x_y}; it must be at least 1')
        self.scale_x_y = scale_x_y

    @property
    def _offset(self) -> float:
        return (self.scale_x_y - 1) / 2

    def encode(self, bboxes: Tensor, gt_bboxes: Tensor, stride: Tensor | int) -> Tensor:
        """(n, 4) boxes and truths to targets, for centres that of the sigmoid."""
        targets = super().encode(bboxes, gt_bboxes, stride)
        centers = (targets[..., :2] + self._offset) / self.scale_x_y
        return cat([centers, targets[..., 2:]], dim=-1)

    def decode(self, bboxes: Tensor, pred_bboxes: Tensor, stride: Tensor | int) -> Tensor:
        """(..., 4) boxes and predictions, centres behind the sigmoid, to boxes."""
        centers = pred_bboxes[..., :2] * self.scale_x_y - self._offset
        return super().decode(bboxes, cat([centers, pred_bboxes[..., 2:]], dim=-1), stride)
