"""mmdet's YOLOv3 head whose priors are mined over all levels."""

from collections.abc import Sequence

import torch
from mmdet.models.dense_heads import YOLOV3Head
from mmdet.models.task_modules.assigners import GridAssigner
from mmdet.registry import MODELS
from mmdet.utils import InstanceList, OptInstanceList
from torch import Tensor

from ..mining.element_loss import refuse_element_losses
from ..mining.lrm_loss import AllPriors
from ..mining.prior_losses import PriorLosses
from ..mining.rank import Level
from .mined_head import MinedHead
from .targets import (
    CellMatches,
    Truths,
    first_of_each,
    grid_priors,
    in_ignored,
    match_in_cells,
    pad_truths,
    to_priors,
)
from .truth_check import names_of_images
from .yolo_boxes import decode_boxes


@MODELS.register_module()
class LRMYOLOV3Head(MinedHead, YOLOV3Head):
    """YOLOV3Head whose priors are mined, over all levels of an image together or level by level.

    Parameters, checkpoints and prediction are the parent's, and so are targets and losses: with
    ``hard_ratio=1`` the loss equals the parent's to rounding. Targets are found for the whole
    batch at once, and the terms that only positives have are computed for the few priors that can
    be positive, so the loss takes less time than the parent's.

    The terms are ``loss_cls``, ``loss_conf``, ``loss_xy`` and ``loss_wh``.

    The arguments are the parent's and those of :class:`.MinedHead`; without ``lrm`` all priors
    train.
    """

    loss_terms = ('loss_cls', 'loss_conf', 'loss_xy', 'loss_wh')

    def loss_by_feat(
        self,
        pred_maps: Sequence[Tensor],
        batch_gt_instances: InstanceList,
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: OptInstanceList = None,
    ) -> dict[str, Tensor]:
        truths = batch_gt_instances, batch_img_metas, batch_gt_instances_ignore
        if self.ignore_iof_thr is None:
            return self.parents_losses([pred_maps], *truths)
        return self.selection(self.prior_losses(pred_maps, *truths))

    def prior_losses(
        self,
        pred_maps: Sequence[Tensor],
        batch_gt_instances: InstanceList,
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: OptInstanceList = None,
    ) -> PriorLosses:
        """What each prior adds to each term of the parent's loss.

        (1) Priors. (2) Match them with the truths. (3) Find positives, negatives and ignored
        priors. (4) The objectness of all priors. (5) The other terms of the matched ones, put in
        place.

        Terms of matched priors are computed for the T truths that there are: one crowded image
        would else fill all others up.
        """
        # 1
        grids = [tuple(pred_map.shape[-2:]) for pred_map in pred_maps]
        level_priors = grid_priors(self.prior_generator, grids, pred_maps[0].device)
        priors = torch.cat(level_priors)
        # 2
        images = names_of_images(batch_img_metas)
        truths = self.truth_check.usable(pad_truths(batch_gt_instances), images)
        matches = match_in_cells(
            truths,
            level_priors,
            grids,
            self.prior_generator.strides,
            self.assigner.pos_iou_thr,
            self.assigner.neg_iou_thr,
            self.assigner.min_pos_iou,
            self.assigner.gt_max_assign_all,
        )
        # 3
        where = first_of_each(matches.prior_inds, matches.gt_inds >= 0, len(priors))
        positive = to_priors(where.float(), matches.prior_inds, where, len(priors)) > 0
        boxes = priors.expand(len(truths.mask), -1, -1)
        ignored = in_ignored(boxes, batch_gt_instances_ignore, self.ignore_iof_thr)
        valid = positive | ~ignored
        trains = (positive | matches.negative) & valid
        # 4
        rows = truths.rows()
        conf, preds = self._picked(pred_maps, rows, matches.prior_inds)
        losses = dict(loss_conf=self._conf_loss(conf, positive.float(), trains.float()))
        # 5
        matched = self._matched_losses(preds, level_priors, truths, rows, matches)
        losses |= {
            term: to_priors(loss, matches.prior_inds, where, len(priors))
            for term, loss in matched.items()
        }
        levels = [Level(height * width, self.num_base_priors) for height, width in grids]
        losses = {term: losses[term] * self._share(term, losses[term], levels) for term in losses}
        needs_bboxes = self.lrm is not None and self.lrm.needs_bboxes
        bboxes = self._decode(pred_maps, level_priors) if needs_bboxes else None
        losses = {term: losses[term] for term in self.loss_terms}
        return PriorLosses(losses, valid, positive, bboxes, levels, 1.0, images)

    def _picked(
        self, pred_maps: Sequence[Tensor], rows: Tensor, prior_inds: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What the loss needs of the maps: objectness of all priors, predictions of matched ones.

        Args:
            pred_maps: of L levels, (N, A * (5 + C), H, W).
            rows: (T,) places of the truths among N * G.
            prior_inds: (N, G * L * A) in 0..P, the priors in the cells of the truths.

        Returns:
            (N, P), and (T * L * A, 5 + C), float32.
        """
        num_gts = prior_inds.shape[1] // (self.num_levels * self.num_base_priors)
        first = prior_inds.view(-1, self.num_levels, self.num_base_priors)[rows, :, 0]
        confs, columns, offset = [], [], 0
        for level, pred_map in enumerate(pred_maps):
            num_cells = pred_map[0, 0].numel()
            # A truth that was refused has cells beyond all levels; it may take any.
            cells = (first[:, level] - offset) // self.num_base_priors
            cells = cells.clamp(0, num_cells - 1)
            conf, column = self._picked_of_level(pred_map, rows // num_gts, cells)
            confs.append(conf.flatten(1))
            columns.append(column)
            offset += num_cells * self.num_base_priors
        preds = torch.stack(columns, dim=1).view(-1, self.num_attrib)
        return torch.cat(confs, dim=1).float(), preds.float()

    def _picked_of_level(
        self, pred_map: Tensor, images: Tensor, cells: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(N, H * W, A) objectness, and (T, A * (5 + C)) predictions of T cells of T images.

        In one step, whose gradient is one map: two would be as large again, and their sum as well.
        """
        num_cells, step = pred_map[0, 0].numel(), self.num_attrib * pred_map[0, 0].numel()
        numbers = torch.arange(max(pred_map.shape[:2].numel(), num_cells), device=pred_map.device)
        confs = numbers[: len(pred_map) * self.num_base_priors] * step + 4 * num_cells
        confs = confs.view(len(pred_map), 1, -1) + numbers[:num_cells, None]
        columns = (images * (self.num_base_priors * step) + cells)[:, None]
        columns = columns + numbers[: pred_map.shape[1]] * num_cells
        picked = pred_map.flatten().gather(0, torch.cat([confs.flatten(), columns.flatten()]))
        return picked[: confs.numel()].view_as(confs), picked[confs.numel() :].view_as(columns)

    def _conf_loss(self, conf: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """(N, P) objectness losses for logits, targets and weights (N, P)."""
        # As one column, which element-wise losses take as well as those for classes.
        columns = (each.reshape(-1, 1) for each in (conf, target, weight))
        return self.loss_conf(*columns, reduction_override='none').view_as(conf)

    def _matched_losses(
        self,
        preds: Tensor,
        level_priors: Sequence[Tensor],
        truths: Truths,
        rows: Tensor,
        matches: CellMatches,
    ) -> dict[str, Tensor]:
        """By term, (N, M) losses of the priors in the cells of the truths, zero for padding.

        Args:
            preds: (T * L * A, 5 + C).
            level_priors: (P_l, 4) of each level.
            truths: of N images.
            rows: (T,) places of the truths among N * G.
            matches: of the priors in their cells.
        """
        num_gts = truths.mask.shape[1]

        def of_truths(values: Tensor) -> Tensor:
            """(N, M, ...) to (T * L * A, ...)."""
            return values.unflatten(1, (num_gts, -1)).flatten(0, 1)[rows].flatten(0, 1)

        inds = matches.prior_inds
        gt_bboxes, gt_labels = map(of_truths, truths.gather(matches.gt_inds))
        prior_inds = of_truths(inds.clamp(max=sum(map(len, level_priors)) - 1))
        strides = torch.cat(
            [
                torch.full((len(each),), stride, device=inds.device)
                for each, stride in zip(level_priors, self.featmap_strides, strict=True)
            ]
        )
        targets = self.bbox_coder.encode(
            torch.cat(list(level_priors))[prior_inds], gt_bboxes, strides[prior_inds]
        )
        # F.one_hot makes int64, which for crowded images is the largest tensor of the loss.
        classes = torch.arange(self.num_classes, device=gt_labels.device)
        labels = (gt_labels[:, None] == classes).float()
        if self.one_hot_smoother != 0:
            labels = labels * (1 - self.one_hot_smoother) + self.one_hot_smoother / self.num_classes
        losses = dict(
            loss_cls=self.loss_cls(preds[:, 5:], labels, reduction_override='none'),
            loss_xy=self.loss_xy(preds[:, :2], targets[:, :2], reduction_override='none'),
            loss_wh=self.loss_wh(preds[:, 2:4], targets[:, 2:], reduction_override='none'),
        )
        padded = preds.new_zeros(len(inds) * num_gts, inds.shape[1] // num_gts)
        return {
            term: padded.index_copy(0, rows, loss.sum(dim=-1).view(-1, padded.shape[1])).view_as(
                inds
            )
            for term, loss in losses.items()
        }

    def _share(self, term: str, loss: Tensor, levels: Sequence[Level]) -> float | Tensor:
        """What a prior's loss is multiplied by in the parent's sum or mean over each level."""
        if getattr(self, term).reduction == 'sum':
            return 1.0
        columns = dict(loss_cls=self.num_classes, loss_conf=1, loss_xy=2, loss_wh=2)[term]
        return torch.cat(
            [
                loss.new_full((each.num_priors,), 1 / (len(loss) * each.num_priors * columns))
                for each in levels
            ]
        )

    @torch.no_grad()
    def _decode(self, pred_maps: Sequence[Tensor], level_priors: Sequence[Tensor]) -> Tensor:
        """(N, P, 4) predicted boxes."""
        decoded = []
        for pred_map, priors, stride in zip(
            pred_maps, level_priors, self.featmap_strides, strict=True
        ):
            deltas = pred_map.unflatten(1, (self.num_base_priors, self.num_attrib))[:, :, :4]
            deltas = deltas.permute(0, 3, 4, 1, 2).flatten(1, 3).float()
            decoded.append(decode_boxes(self.bbox_coder, priors, deltas, stride))
        return torch.cat(decoded, dim=1)

    def _selection_without_lrm(self) -> AllPriors:
        return AllPriors()

    def _prepare(self) -> None:
        if self.train_cfg and type(self.assigner) is not GridAssigner:
            raise ValueError(
                f'train_cfg.assigner is {type(self.assigner).__name__}; with lrm or '
                f'ignore_iof_thr {type(self).__name__} needs GridAssigner. Use it, or remove both '
                f'options'
            )
        refuse_element_losses(
            self,
            self.loss_terms,
            "Mine by lrm=dict(type='LRMLoss', ...), or leave lrm and ignore_iof_thr None, so that "
            "mmdet's own code computes the loss",
        )
        for term in self.loss_terms:
            loss = getattr(self, term)
            if getattr(loss, 'reduction', None) not in ('sum', 'mean'):
                raise ValueError(
                    f'bbox_head.{term} is {type(loss).__name__} with the reduction '
                    f'{getattr(loss, "reduction", None)!r}; with lrm or ignore_iof_thr it must be '
                    f"an element-wise loss with 'sum' or 'mean'. Set {term}.reduction, or remove "
                    f'both options'
                )
