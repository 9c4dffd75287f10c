"""YOLOv2's head with darknet's region loss, vectorised over images, priors and truths.

Letters: N images, A base priors per cell, P = H * W * A priors of one image, C classes, G the
largest number of ground-truth boxes of an image. Boxes are x1, y1, x2, y2 in input pixels. Priors
are ordered by row, column, base prior, as mmdet's generators order them.

Sources: Redmon & Farhadi, "YOLO9000", CVPR 2017; darknet's region layer, in its 2017 form, whose
gradients the default options reproduce. Where darknet writes down a gradient, the loss here is the
function that has it.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.task_modules.prior_generators import YOLOAnchorGenerator
from mmdet.models.utils import filter_scores_and_topk
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.utils import ConfigType, InstanceList, OptConfigType, OptInstanceList, OptMultiConfig
from mmengine.dist import get_world_size
from mmengine.model import bias_init_with_prob
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..mining.element_loss import refuse_element_losses
from ..mining.lrm_loss import AllPriors, build_miner
from ..mining.overlap import box_overlap
from ..mining.prior_losses import PriorLosses
from ..mining.rank import Level
from .letterboxed import LetterboxedHead, image_area
from .targets import (
    Truths,
    assign_truths,
    checked_iof_thr,
    grid_priors,
    in_ignored,
    max_overlap,
    pad_truths,
    to_device,
)
from .truth_check import TruthCheck, names_of_images
from .yolo_boxes import decode_boxes

# In input pixels: the anchors of yolov2-voc.cfg, which counts in cells, times the stride.
VOC_BASE_SIZES = [
    (42.31, 55.41),
    (102.17, 128.3),
    (161.79, 259.17),
    (303.08, 154.9),
    (359.56, 320.23),
]
# darknet's: the weight of the pull of every prior to its own box while the training begins.
WARMUP_SCALE = 0.01


def responsible_priors(
    truths: Truths, base_sizes: Tensor, stride: int, grid: tuple[int, int]
) -> Tensor:
    """The prior that darknet makes responsible for each truth.

    The cell holds the centre of the truth; the base prior has the largest IoU with it when both are
    centred at the origin, the first one in a tie.

    Args:
        truths: of N images.
        base_sizes: (A, 2) widths and heights in input pixels.
        stride: of the feature map.
        grid: H, W of the feature map.

    Returns:
        (N, G) index of the prior in 0..P-1, P for padding.
    """
    height, width = grid
    sizes = truths.bboxes[..., 2:] - truths.bboxes[..., :2]
    centers = (truths.bboxes[..., 2:] + truths.bboxes[..., :2]) / 2
    # A centre on the right or lower border belongs to the last cell.
    col = (centers[..., 0] / stride).long().clamp(0, width - 1)
    row = (centers[..., 1] / stride).long().clamp(0, height - 1)
    intersection = torch.minimum(sizes[..., None, :], base_sizes).prod(dim=-1)
    union = sizes.prod(dim=-1)[..., None] + base_sizes.prod(dim=-1) - intersection
    base_inds = (intersection / union).argmax(dim=-1)
    prior_inds = (row * width + col) * len(base_sizes) + base_inds
    return prior_inds.masked_fill(~truths.mask, height * width * len(base_sizes))


@MODELS.register_module()
class YOLOV2Head(LetterboxedHead, BaseDenseHead):
    """YOLOv2's prediction layer, darknet's region loss, and the switch for Loss Rank Mining.

    The loss is summed over the priors of an image and averaged over the batch only. Its terms are
    ``loss_xy``, ``loss_wh``, ``loss_conf`` and ``loss_cls``. The defaults are darknet's.

    Ignored instances (``gt_instances_ignore``): a prior whose prediction lies in one by more than
    ``ignore_iof_thr`` of its own area is no negative, and neither ranks nor trains, unless a truth
    is assigned to it. The same holds for cells in the padding that batching adds. Darknet knows
    neither; both hold with and without ``lrm``. Such cells detect nothing either.

    Args:
        num_classes: C.
        in_channels: Channels of the feature map.
        anchor_generator: One level; ``base_sizes`` in input pixels (darknet's anchors times the
            stride). The default is yolov2-voc.cfg's.
        bbox_coder: Of the parametrisation; mmdet's YOLOBBoxCoder has darknet's.
        loss_cls: An element-wise mmdet loss. ``use_sigmoid=False`` (darknet's) is softmax
            cross-entropy; ``use_sigmoid=True`` trains and predicts classes independently.
        loss_conf: An element-wise mmdet loss for the objectness. One with ``use_sigmoid`` (such as
            CrossEntropyLoss or FocalLoss) is given logits; any other, such as darknet's squared
            error (MSELoss with weight 0.5), probabilities.
        coord_scale: Weight of the xy and wh terms of positives, multiplied by 2 - area relative to
            the input, as darknet does since 2017.
        object_scale: Weight of the objectness of positives.
        noobject_scale: Weight of the objectness of negatives.
        class_scale: Weight of the class term.
        rescore: The objectness target of a positive is the IoU of its prediction with the truth
            (True) or 1 (False).
        neg_iou_thr: Priors whose prediction overlaps a truth by more than this IoU are no negatives
            (``thresh`` of darknet).
        ignore_iof_thr: Share of a prediction's area, in [0, 1], in an ignored instance above which
            it is ignored.
        max_gts: Truths of an image beyond this number are not learnt (darknet: 30); None: all are.
        warmup_images: While fewer images were seen, every prior that no truth is assigned to is
            pulled to its own box (``seen < 12800`` of darknet). 0 switches it off.
        init_conf_prob: Objectness in (0, 1) that the initial bias gives; None: bias 0, as darknet,
            hence 0.5.
        lrm: Config of :class:`LRMLoss`; None trains on all priors.
        train_cfg: Not used; detectors pass it.
        test_cfg: ``score_thr`` (on objectness times class probability), ``nms``, ``max_per_img``,
            ``nms_pre`` (-1: all), ``clip_to_image`` (default False: darknet clips when it draws).
        init_cfg: Default: darknet's N(0, sqrt(2 / (k^2 c))).
    """

    loss_terms = ('loss_xy', 'loss_wh', 'loss_conf', 'loss_cls')

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        anchor_generator: ConfigType = dict(
            type='YOLOAnchorGenerator', base_sizes=[VOC_BASE_SIZES], strides=[32]
        ),
        bbox_coder: ConfigType = dict(type='YOLOBBoxCoder'),
        loss_cls: ConfigType = dict(type='CrossEntropyLoss', use_sigmoid=False),
        loss_conf: ConfigType = dict(type='MSELoss', loss_weight=0.5),
        coord_scale: float = 1.0,
        object_scale: float = 5.0,
        noobject_scale: float = 1.0,
        class_scale: float = 1.0,
        rescore: bool = True,
        neg_iou_thr: float = 0.6,
        ignore_iof_thr: float = 0.5,
        max_gts: int | None = 30,
        warmup_images: int = 12800,
        init_conf_prob: float | None = None,
        lrm: OptConfigType = None,
        train_cfg: OptConfigType = None,
        test_cfg: OptConfigType = None,
        init_cfg: OptMultiConfig = dict(type='Kaiming', layer='Conv2d', mode='fan_in'),
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.prior_generator, self.stride = _one_level(anchor_generator)
        self.num_base_priors = self.prior_generator.num_base_priors[0]
        self.bbox_coder = TASK_UTILS.build(bbox_coder)
        self.loss_cls = MODELS.build(loss_cls)
        self.loss_conf = MODELS.build(loss_conf)
        refuse_element_losses(
            self,
            ('loss_conf', 'loss_cls'),
            "Mine by lrm=dict(type='LRMLoss', rank_by=...) and give the loss its own type",
        )
        self.use_sigmoid_cls = getattr(self.loss_cls, 'use_sigmoid', False)
        self.use_sigmoid_conf = getattr(self.loss_conf, 'use_sigmoid', False)
        self.coord_scale = coord_scale
        self.object_scale = object_scale
        self.noobject_scale = noobject_scale
        self.class_scale = class_scale
        self.rescore = rescore
        self.neg_iou_thr = neg_iou_thr
        self.ignore_iof_thr = checked_iof_thr(ignore_iof_thr, default=None)
        self.max_gts = max_gts
        self.warmup_images = warmup_images
        self.init_conf_prob = _checked_prob(init_conf_prob)
        self.lrm = build_miner(lrm, self.loss_terms)
        self.selection = self.lrm or AllPriors()
        self.truth_check = TruthCheck(num_classes)
        self.train_cfg = train_cfg
        self.test_cfg = test_cfg
        self.register_buffer('images_seen', torch.zeros((), dtype=torch.long))
        # A constant that lives on the device: a copy from the host would stall every step.
        self.register_buffer('own_box', torch.tensor([0.5, 0.5, 0.0, 0.0]), persistent=False)
        self.conv_pred = nn.Conv2d(in_channels, self.num_base_priors * self.num_attrib, 1)

    @property
    def num_attrib(self) -> int:
        """Channels of a prior: tx, ty, tw, th, objectness, C classes."""
        return 5 + self.num_classes

    def init_weights(self) -> None:
        super().init_weights()
        if self.init_conf_prob is not None:
            bias = self.conv_pred.bias.data.reshape(self.num_base_priors, self.num_attrib)
            bias[:, 4] = bias_init_with_prob(self.init_conf_prob)

    def forward(self, x: tuple[Tensor, ...]) -> tuple[list[Tensor]]:
        """Map the last feature map (N, in_channels, H, W) to one raw map (N, A * (5 + C), H, W)."""
        return ([self.conv_pred(x[-1])],)

    def loss(self, x: tuple[Tensor, ...], batch_data_samples: list) -> dict[str, Tensor]:
        """The training step's losses; counts the images of all processes as seen, as darknet."""
        self.images_seen += len(batch_data_samples) * get_world_size()
        return super().loss(x, batch_data_samples)

    def loss_by_feat(
        self,
        pred_maps: Sequence[Tensor],
        batch_gt_instances: InstanceList,
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: OptInstanceList = None,
    ) -> dict[str, Tensor]:
        """Losses of a batch: those of its priors, mined if ``lrm`` says so, and reduced.

        Args:
            pred_maps: One raw map (N, A * (5 + C), H, W) of any float type; the loss is float32.
            batch_gt_instances: ``bboxes`` and ``labels`` of each image.
            batch_img_metas: ``img_shape`` of each image parts it from the padding of the batch;
                without it the whole map is image.
            batch_gt_instances_ignore: ``bboxes`` of the ignored regions of each image.

        Returns:
            By term, a scalar: the sum over the priors, averaged over the batch (without ``lrm``).
        """
        prior_losses = self.prior_losses(
            pred_maps, batch_gt_instances, batch_img_metas, batch_gt_instances_ignore
        )
        return self.selection(prior_losses)

    def prior_losses(
        self,
        pred_maps: Sequence[Tensor],
        batch_gt_instances: InstanceList,
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: OptInstanceList = None,
    ) -> PriorLosses:
        """Losses of each prior by term, unreduced; the arguments are those of ``loss_by_feat``.

        (1) Decode. (2) Assign truths to priors. (3) Find negatives and ignored priors. (4) Targets
        and weights. (5) Losses.
        """
        preds, priors, grid = self._flatten(pred_maps)
        images = names_of_images(batch_img_metas)
        truths = self.truth_check.usable(pad_truths(batch_gt_instances, self.max_gts), images)
        # 1
        bboxes = self._decode(preds.detach(), priors)
        # 2
        assigned = self._assign(truths, len(priors), grid)
        positive = assigned >= 0
        # 3
        negative = ~positive & (
            max_overlap(bboxes, truths.bboxes, truths.counts) <= self.neg_iou_thr
        )
        valid = positive | ~(
            self._in_padding(priors, batch_img_metas)
            | in_ignored(bboxes, batch_gt_instances_ignore, self.ignore_iof_thr)
        )
        # 4
        gt_bboxes, gt_labels = truths.gather(assigned)
        coord_targets = self._coord_targets(priors, gt_bboxes, positive)
        coord_weights = self._coord_weights(gt_bboxes, positive, grid)
        conf_targets = positive.float()
        if self.rescore:
            conf_targets = box_overlap(bboxes, gt_bboxes) * conf_targets
        conf_weights = self.object_scale * positive + self.noobject_scale * negative
        # 5
        xy = 0.5 * (preds[..., :2].sigmoid() - coord_targets[..., :2]).square().sum(dim=-1)
        wh = 0.5 * (preds[..., 2:4] - coord_targets[..., 2:]).square().sum(dim=-1)
        conf = self._conf_loss(preds[..., 4], conf_targets, (conf_weights > 0) & valid)
        cls = self._cls_loss(preds[..., 5:], gt_labels)
        losses = dict(
            loss_xy=xy * coord_weights * valid,
            loss_wh=wh * coord_weights * valid,
            loss_conf=conf * conf_weights * valid,
            loss_cls=cls * (self.class_scale * positive) * valid,
        )
        levels = [Level(grid[0] * grid[1], self.num_base_priors)]
        return PriorLosses(losses, valid, positive, bboxes, levels, len(preds), images)

    def _assign(self, truths: Truths, num_priors: int, grid: tuple[int, int]) -> Tensor:
        """(N, P) index of the truth that each prior learns, -1 for none."""
        (base_priors,) = self.prior_generator.base_anchors
        base_sizes = base_priors[:, 2:] - base_priors[:, :2]
        return assign_truths(responsible_priors(truths, base_sizes, self.stride, grid), num_priors)

    def _coord_weights(self, gt_bboxes: Tensor, positive: Tensor, grid: tuple[int, int]) -> Tensor:
        """(N, P) weights of the coordinates: small truths weigh up to twice as much as large ones.

        A truth that no step of the pipeline clipped counts as at most as large as the input, as
        darknet's always is. Priors without a truth weigh while the training begins.
        """
        input_area = grid[0] * grid[1] * self.stride**2
        area = (gt_bboxes[..., 2:] - gt_bboxes[..., :2]).prod(dim=-1).clamp(max=input_area)
        warming_up = (self.images_seen < self.warmup_images).float()
        weights = self.coord_scale * (2 - area / input_area)
        return torch.where(positive, weights, WARMUP_SCALE * warming_up)

    def predict_by_feat(
        self,
        pred_maps: Sequence[Tensor],
        batch_img_metas: list[dict],
        cfg: OptConfigType = None,
        rescale: bool = False,
        with_nms: bool = True,
    ) -> InstanceList:
        """Boxes of each image: objectness times class probability, threshold, NMS by class.

        Args:
            pred_maps: One raw map (N, A * (5 + C), H, W).
            batch_img_metas: ``img_shape`` to clip and to part the image from the padding of the
                batch, in which nothing is found; ``scale_factor`` to rescale.
            cfg: In place of ``test_cfg``.
            rescale: Return boxes in the pixels of the original image.
            with_nms: Whether to suppress overlapping boxes.

        Returns:
            By image, InstanceData with ``bboxes`` (n, 4), ``scores`` (n,), ``labels`` (n,).
        """
        cfg = self.test_cfg if cfg is None else cfg
        preds, priors, _ = self._flatten(pred_maps)
        bboxes = self._decode(preds, priors)
        cls_logits = preds[..., 5:]
        probs = cls_logits.sigmoid() if self.use_sigmoid_cls else cls_logits.softmax(dim=-1)
        # What never trained says nothing.
        in_image = ~self._in_padding(priors, batch_img_metas)
        scores = preds[..., 4:5].sigmoid() * probs * in_image[..., None]
        nms_pre = cfg.get('nms_pre', -1)
        results_list = []
        for img_bboxes, img_scores, img_meta in zip(bboxes, scores, batch_img_metas, strict=True):
            kept_scores, labels, prior_inds, _ = filter_scores_and_topk(
                img_scores, cfg.get('score_thr', 0), nms_pre if nms_pre > 0 else scores[0].numel()
            )
            img_bboxes = img_bboxes[prior_inds]
            if cfg.get('clip_to_image', False):
                least, most = map(img_bboxes.new_tensor, image_area(img_meta))
                img_bboxes = img_bboxes.maximum(least).minimum(most)
            results = InstanceData(bboxes=img_bboxes, scores=kept_scores, labels=labels)
            results_list.append(
                self._bbox_post_process(results, cfg, rescale, with_nms, img_meta=img_meta)
            )
        return results_list

    def _flatten(self, pred_maps: Sequence[Tensor]) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """(N, P, 5 + C) float32 predictions, (P, 4) priors, and H, W of the map."""
        (pred_map,) = pred_maps
        grid = tuple(pred_map.shape[-2:])
        preds = pred_map.float().permute(0, 2, 3, 1)
        preds = preds.reshape(len(pred_map), -1, self.num_attrib)
        (priors,) = grid_priors(self.prior_generator, [grid], pred_map.device)
        return preds, priors, grid

    def _decode(self, preds: Tensor, priors: Tensor) -> Tensor:
        """(N, P, 5 + C) predictions to (N, P, 4) boxes."""
        return decode_boxes(self.bbox_coder, priors, preds, self.stride)

    def _coord_targets(self, priors: Tensor, gt_bboxes: Tensor, positive: Tensor) -> Tensor:
        """(N, P, 4) sigmoid(tx), sigmoid(ty), tw, th to learn; the prior's own without a truth."""
        targets = self.bbox_coder.encode(
            priors.expand(len(gt_bboxes), -1, -1).flatten(0, 1),
            gt_bboxes.flatten(0, 1),
            self.stride,
        ).view_as(gt_bboxes)
        return torch.where(positive[..., None], targets, self.own_box)

    def _conf_loss(self, conf: Tensor, target: Tensor, trains: Tensor) -> Tensor:
        """(N, P) logits, targets and bool to (N, P) losses; element-wise losses see one column."""
        pred = conf if self.use_sigmoid_conf else conf.sigmoid()
        columns = (each.reshape(-1, 1) for each in (pred, target, trains.float()))
        # By position, since losses differ in what they call the weight.
        return self.loss_conf(*columns, reduction_override='none').view_as(conf)

    def _cls_loss(self, cls_logits: Tensor, labels: Tensor) -> Tensor:
        """(N, P, C) logits and (N, P) labels to (N, P) losses, summed over sigmoid classes."""
        target = labels.flatten()
        if self.use_sigmoid_cls:
            target = F.one_hot(target, self.num_classes).float()
        loss = self.loss_cls(cls_logits.flatten(0, 1), target, reduction_override='none')
        return loss.reshape(*labels.shape, -1).sum(dim=-1)

    def _in_padding(self, priors: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """(N, P) bool, True where the cell's centre lies beyond its image."""
        shapes = [meta.get('img_shape', (torch.inf, torch.inf))[:2] for meta in batch_img_metas]
        height, width = to_device(shapes, priors).T[..., None]
        centers = (priors[:, :2] + priors[:, 2:]) / 2
        return (centers[:, 0] >= width) | (centers[:, 1] >= height)


def _one_level(config: ConfigType) -> tuple[YOLOAnchorGenerator, int]:
    """The generator of priors and its stride; ValueError unless there is one of them."""
    generator = TASK_UTILS.build(config)
    if generator.num_levels != 1:
        raise ValueError(
            f'anchor_generator has {generator.num_levels} levels; YOLOv2 predicts from one. Give '
            f'one list of base_sizes and one stride'
        )
    stride_x, stride_y = generator.strides[0]
    if stride_x != stride_y:
        raise ValueError(
            f'anchor_generator has the stride {generator.strides[0]}; YOLOv2 needs one number for '
            f'both directions'
        )
    return generator, stride_x


def _checked_prob(init_conf_prob: float | None) -> float | None:
    if init_conf_prob is not None and not 0 < init_conf_prob < 1:
        raise ValueError(
            f'init_conf_prob is {init_conf_prob}; it must lie in (0, 1). For a bias of 0 set it to '
            f'None'
        )
    return init_conf_prob
