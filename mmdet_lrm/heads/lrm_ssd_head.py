"""mmdet's SSD head with Loss Rank Mining in the place of its 3:1 selection."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.models.dense_heads import SSDHead
from mmdet.models.losses import smooth_l1_loss
from mmdet.models.task_modules.assigners import MaxIoUAssigner
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from mmdet.models.task_modules.samplers import PseudoSampler
from mmdet.registry import MODELS
from mmdet.utils import InstanceList, OptInstanceList
from torch import Tensor

from ..mining.lrm_loss import HardNegativeLoss
from ..mining.prior_losses import PriorLosses
from ..mining.rank import Level
from .mined_head import MinedHead
from .targets import (
    Truths,
    grid_priors,
    in_ignored,
    match_by_iou,
    pad_truths,
    to_device,
)
from .truth_check import names_of_images


@MODELS.register_module()
class LRMSSDHead(MinedHead, SSDHead):
    """SSDHead whose 3:1 selection of negatives gives way to Loss Rank Mining over all priors.

    Mining is also done on images without objects, which the parent leaves out. Parameters,
    checkpoints, prediction, targets and losses are the parent's. So is what the sums are divided
    by, unless ``lrm.normalizer`` says otherwise: the number of positives, whether mined or not,
    and at least 1 of each image. Targets are found for the whole batch at once.

    The terms are ``loss_cls`` and ``loss_bbox``. With ``hard_ratio=1`` they equal those of a parent
    whose ``neg_pos_ratio`` takes all negatives.

    The arguments are the parent's and those of :class:`.MinedHead`; without ``lrm`` the 3:1
    selection stays (``neg_pos_ratio`` of ``train_cfg``). ``MaxIoUAssigner.ignore_iof_thr`` would
    take a prior in an ignored instance from its truth as well.
    """

    loss_terms = ('loss_cls', 'loss_bbox')
    # BaseDenseHead asks the classification loss for its channels when it predicts, and SSDHead has
    # none, so that since mmdet 3.1 it can train and not predict.
    loss_cls = None

    def loss_by_feat(
        self,
        cls_scores: Sequence[Tensor],
        bbox_preds: Sequence[Tensor],
        batch_gt_instances: InstanceList,
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: OptInstanceList = None,
    ) -> dict[str, Tensor]:
        truths = batch_gt_instances, batch_img_metas, batch_gt_instances_ignore
        if self.selection is None:
            return self.parents_losses([cls_scores, bbox_preds], *truths)
        return self.selection(self.prior_losses(cls_scores, bbox_preds, *truths))

    def prior_losses(
        self,
        cls_scores: Sequence[Tensor],
        bbox_preds: Sequence[Tensor],
        batch_gt_instances: InstanceList,
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: OptInstanceList = None,
    ) -> PriorLosses:
        """What each prior adds to each term, before any selection.

        (1) Priors. (2) Match them with the truths. (3) Find the ignored ones. (4) Targets. (5)
        Losses.
        """
        # 1
        grids = [tuple(each.shape[-2:]) for each in cls_scores]
        priors = torch.cat(grid_priors(self.prior_generator, grids, cls_scores[0].device))
        # 2
        images = names_of_images(batch_img_metas)
        truths = self.truth_check.usable(pad_truths(batch_gt_instances), images)
        inside = self._inside(priors, grids, batch_img_metas)
        gt_inds, negative = self._match(truths, priors, inside)
        positive = gt_inds >= 0
        # 3
        boxes = priors.expand(len(gt_inds), -1, -1)
        ignored = in_ignored(boxes, batch_gt_instances_ignore, self.ignore_iof_thr)
        valid = positive | (inside & ~ignored)
        # 4
        gt_bboxes, gt_labels = truths.gather(gt_inds)
        labels = gt_labels.masked_fill(~positive, self.num_classes)
        # 5
        deltas = self._flatten(bbox_preds, 4)
        losses = dict(
            loss_cls=self._cls_loss(cls_scores, labels)
            * self._cls_weights(positive, negative & valid),
            loss_bbox=self._bbox_loss(priors, deltas, gt_bboxes, positive),
        )
        levels = [
            Level(height * width, num_base_priors)
            for (height, width), num_base_priors in zip(grids, self.num_base_priors, strict=True)
        ]
        needs_bboxes = self.lrm is not None and self.lrm.needs_bboxes
        bboxes = self._decode(priors, deltas.detach()) if needs_bboxes else None
        num_positives = positive.sum(dim=1).clamp(min=1).sum()
        return PriorLosses(losses, valid, positive, bboxes, levels, num_positives, images)

    def _match(self, truths: Truths, priors: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
        """:func:`match_by_iou` with the numbers of the assigner in ``train_cfg``."""
        assigner = self.assigner
        return match_by_iou(
            truths,
            priors,
            inside,
            assigner.pos_iou_thr,
            assigner.neg_iou_thr,
            assigner.min_pos_iou,
            assigner.gt_max_assign_all,
            assigner.match_low_quality,
        )

    def _inside(
        self, priors: Tensor, grids: Sequence[tuple[int, int]], batch_img_metas: list[dict]
    ) -> Tensor:
        """(N, P) bool, True for priors in cells of the image, and by ``allowed_border`` in it."""
        strides = self.prior_generator.strides
        # The number of cells of each level that hold a part of the padded image, (N, L, 2).
        cells = [
            [
                (-(-meta['pad_shape'][0] // stride_y), -(-meta['pad_shape'][1] // stride_x))
                for stride_x, stride_y in strides
            ]
            for meta in batch_img_metas
        ]
        rows, cols = to_device(cells, priors).unbind(dim=-1)
        inside = torch.cat(
            [
                _first_cells(grid, rows[:, level], cols[:, level])
                .flatten(1)
                .repeat_interleave(num_base_priors, dim=1)
                for level, (grid, num_base_priors) in enumerate(
                    zip(grids, self.num_base_priors, strict=True)
                )
            ],
            dim=1,
        )
        border = self.train_cfg['allowed_border']
        if border >= 0:
            shapes = [meta['img_shape'][:2] for meta in batch_img_metas]
            height, width = to_device(shapes, priors)[..., None].unbind(dim=1)
            x1, y1, x2, y2 = priors.unbind(dim=-1)
            inside &= (x1 >= -border) & (y1 >= -border)
            inside &= (x2 < width + border) & (y2 < height + border)
        return inside

    def _cls_weights(self, positive: Tensor, negative: Tensor) -> Tensor:
        """(N, P) weights of the classification of positives and negatives (N, P)."""
        pos_weight = self.train_cfg['pos_weight']
        return positive * (pos_weight if pos_weight > 0 else 1.0) + negative

    def _bbox_loss(
        self, priors: Tensor, deltas: Tensor, gt_bboxes: Tensor, positive: Tensor
    ) -> Tensor:
        """(N, P) smooth L1 of the positives, between boxes if ``reg_decoded_bbox``, else deltas."""
        if self.reg_decoded_bbox:
            preds, targets = self._decode(priors, deltas), gt_bboxes
        else:
            preds = deltas
            targets = self._encode(priors, torch.where(positive[..., None], gt_bboxes, priors))
        loss = smooth_l1_loss(
            preds, targets, reduction='none', beta=self.train_cfg['smoothl1_beta']
        )
        return loss.sum(dim=-1) * positive

    def _cls_loss(self, cls_scores: Sequence[Tensor], labels: Tensor) -> Tensor:
        """(N, P) softmax cross-entropy of the maps of all levels with labels (N, P)."""
        losses, offset = [], 0
        for scores, num_base_priors in zip(cls_scores, self.num_base_priors, strict=True):
            # Classes stay where the map has them: bringing them to the end would copy all scores
            # twice, which takes longer than the loss.
            scores = (
                scores.float().unflatten(1, (num_base_priors, self.cls_out_channels)).flatten(3)
            )
            num_priors = num_base_priors * scores.shape[-1]
            target = labels[:, offset : offset + num_priors].unflatten(1, (-1, num_base_priors))
            loss = F.cross_entropy(
                scores.flatten(0, 1), target.transpose(1, 2).flatten(0, 1), reduction='none'
            )
            losses.append(loss.unflatten(0, (-1, num_base_priors)).transpose(1, 2).flatten(1))
            offset += num_priors
        return torch.cat(losses, dim=1)

    def _encode(self, priors: Tensor, gt_bboxes: Tensor) -> Tensor:
        """(N, P, 4) deltas from priors (P, 4) to boxes (N, P, 4), as DeltaXYWHBBoxCoder.

        Its own ``encode`` copies means and deviations from the host, which would stall the step.
        """
        sizes, gt_sizes = (each[..., 2:] - each[..., :2] for each in (priors, gt_bboxes))
        centers, gt_centers = (
            (each[..., :2] + each[..., 2:]) * 0.5 for each in (priors, gt_bboxes)
        )
        deltas = torch.cat([(gt_centers - centers) / sizes, (gt_sizes / sizes).log()], dim=-1)
        return (deltas - self.target_means) / self.target_stds

    def _decode(self, priors: Tensor, deltas: Tensor) -> Tensor:
        """(N, P, 4) predicted boxes of priors (P, 4) and deltas (N, P, 4)."""
        boxes = priors.expand_as(deltas).flatten(0, 1)
        return self.bbox_coder.decode(boxes, deltas.flatten(0, 1)).view_as(deltas)

    @staticmethod
    def _flatten(level_maps: Sequence[Tensor], num_attrib: int) -> Tensor:
        """Maps (N, A * num_attrib, H, W) of all levels to (N, P, num_attrib), float32."""
        flat = [each.permute(0, 2, 3, 1).reshape(len(each), -1, num_attrib) for each in level_maps]
        return torch.cat(flat, dim=1).float()

    def _selection_without_lrm(self) -> HardNegativeLoss | None:
        if self.ignore_iof_thr is None or not self.train_cfg:
            return None
        return HardNegativeLoss(self.train_cfg['neg_pos_ratio'], rank_by='loss_cls')

    def _prepare(self) -> None:
        self._check_parts()
        # Constants that live on the device: a copy from the host would stall every step.
        means, stds = torch.tensor([self.bbox_coder.means, self.bbox_coder.stds])
        self.register_buffer('target_means', means, persistent=False)
        self.register_buffer('target_stds', stds, persistent=False)

    def _check_parts(self) -> None:
        name = type(self).__name__
        if type(self.bbox_coder) is not DeltaXYWHBBoxCoder:
            raise ValueError(
                f'bbox_head.bbox_coder is {type(self.bbox_coder).__name__}; with lrm or '
                f'ignore_iof_thr {name} needs DeltaXYWHBBoxCoder. Use it, or remove both options'
            )
        if not self.train_cfg:
            return
        if type(self.assigner) is not MaxIoUAssigner or type(self.sampler) is not PseudoSampler:
            raise ValueError(
                f'train_cfg has the assigner {type(self.assigner).__name__} and the sampler '
                f'{type(self.sampler).__name__}; with lrm or ignore_iof_thr {name} needs '
                f'MaxIoUAssigner and PseudoSampler. Use them, or remove both options'
            )
        if self.assigner.ignore_iof_thr > 0 or self.assigner.perm_repeat_gt_cfg is not None:
            raise ValueError(
                'train_cfg.assigner has ignore_iof_thr or perm_repeat_gt_cfg; with lrm or '
                f'bbox_head.ignore_iof_thr {name} ignores by its own bbox_head.ignore_iof_thr. '
                'Set ignore_iof_thr=-1 and perm_repeat_gt_cfg=None in the assigner'
            )


def _first_cells(grid: tuple[int, int], rows: Tensor, cols: Tensor) -> Tensor:
    """(N, H, W) bool, True for the first rows and columns, of which there are (N,) each."""
    height, width = grid
    in_rows = torch.arange(height, device=rows.device) < rows[:, None]
    in_cols = torch.arange(width, device=cols.device) < cols[:, None]
    return in_rows[:, :, None] & in_cols[:, None]
