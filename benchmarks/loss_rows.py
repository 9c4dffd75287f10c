"""What mining costs: in the losses of the heads, alone, thinned, and inside other losses."""

import importlib.util
import itertools
from collections.abc import Callable, Iterator, Sequence

import torch
from in_turn import compared, in_turn, memory, peak_mib
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.hub import get_config
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmdet_lrm.mining.rank import hard_mask, loss_rank
from mmdet_lrm.study.performance import Curve, Row

GROUP = 'losses'
LRM = dict(type='LRMLoss', hard_ratio=0.25)
GRIDS = ((13, 13), (12, 39))
HEADS = {
    'YOLOv3 at 416': ('mmdet::yolo/yolov3_d53_8xb8-ms-416-273e_coco.py', 416, 'LRMYOLOV3Head'),
    'SSD300': ('mmdet::ssd/ssd300_coco.py', 300, 'LRMSSDHead'),
}
SSD_GRIDS = (38, 19, 10, 5, 3, 1)
KERNELS = 'each of some forty small operations reads and writes all priors'


def yolov2(**options: object) -> nn.Module:
    return MODELS.build(dict(type='YOLOV2Head', num_classes=20, in_channels=8, **options))


def step(head: nn.Module, maps: Sequence, truths: list, metas: list) -> Callable[[], object]:
    """The loss of a head and its gradients."""
    leaves = [each for levels in maps for each in levels]

    def run() -> None:
        losses = head.loss_by_feat(*maps, truths, metas)
        parts = [part for loss in losses.values() for part in listed(loss)]
        torch.autograd.grad(sum(part.sum() for part in parts), leaves)

    return run


def listed(loss: Tensor | list) -> list:
    return [loss] if torch.is_tensor(loss) else loss


def random_truths(num_images: int, num_gts: int, size: tuple[int, int], classes: int) -> list:
    """Boxes of 20 px and more in images of (h, w)."""
    truths = []
    for _ in range(num_images):
        corners = torch.rand(num_gts, 2, 2) * (torch.tensor(size[::-1]) - 20)
        bboxes = torch.cat([corners.amin(dim=1), corners.amax(dim=1) + 19], dim=1)
        truths.append(InstanceData(bboxes=bboxes, labels=torch.randint(0, classes, (num_gts,))))
    return truths


def yolov2_inputs(num_images: int, num_gts: int, grid: tuple[int, int]) -> tuple:
    maps = [[torch.randn(num_images, 125, *grid, requires_grad=True)]]
    size = tuple(32 * side for side in grid)
    metas = [dict(img_shape=size)] * num_images
    return maps, random_truths(num_images, num_gts, size, 20), metas


def in_yolov2(rounds: int, quick: bool) -> Iterator[Row]:
    """Mining with and without thinning against the loss without any, 16 images of 8 truths."""
    lrms = {
        'without mining': None,
        'mined': LRM,
        'thinned, K of 25 %': LRM | dict(nms_iou_thr=0.7),
        'thinned, K of 5 %': dict(type='LRMLoss', hard_ratio=0.05, nms_iou_thr=0.7),
    }
    for grid in GRIDS:
        inputs = yolov2_inputs(16, 8, grid)
        times = in_turn(
            {name: step(yolov2(lrm=lrm), *inputs) for name, lrm in lrms.items()}, rounds
        )
        of = f'YOLOv2, {grid[1]} x {grid[0]} x 5'
        limit = 'the choice of the K largest, and the mask times the losses'
        yield compared(GROUP, of, times, 'mined', 'without mining', limit, 1.05)
        for name in list(lrms)[2:]:
            limit = 'IoU of each block of 128 with the survivors before it'
            yield compared(GROUP, f'{of}, {name}', times, name, 'without mining', limit, 2)


def in_others(rounds: int, quick: bool) -> Iterator[Row]:
    """YOLOv3 and SSD: mining against the mined head without it, and against mmdet's own."""
    for title, (path, side, mined) in HEADS.items():
        for num_images in (8,) if quick else (8, 32):
            forms = other_forms(path, side, mined, num_images, num_gts=8)
            times = in_turn({name: step(*form) for name, form in forms.items()}, rounds)
            of = f'{title}, {num_images} images'
            yield compared(GROUP, of, times, 'mined', 'without mining', KERNELS, 1.05)
            yield compared(GROUP, of, times, 'mined', "mmdet's head", KERNELS)


def other_forms(path: str, side: int, mined: str, num_images: int, num_gts: int) -> dict:
    """By name, a head of mmdet, ours without mining and with it, and the inputs of all."""
    model = get_config(path).model
    config = ConfigDict(model.bbox_head, train_cfg=model.train_cfg, test_cfg=model.test_cfg)
    heads = {
        "mmdet's head": MODELS.build(config),
        # With regions to ignore it finds targets by itself; else it is its parent.
        'without mining': MODELS.build(ConfigDict(config, type=mined, ignore_iof_thr=0.5)),
        'mined': MODELS.build(ConfigDict(config, type=mined, lrm=LRM)),
    }
    maps = raw_maps(heads['mined'], side, num_images)
    truths = random_truths(num_images, num_gts, (side, side), 80)
    metas = [dict(img_shape=(side, side), pad_shape=(side, side))] * num_images
    return {name: (head, maps, truths, metas) for name, head in heads.items()}


def raw_maps(head: nn.Module, side: int, num_images: int) -> list[list[Tensor]]:
    """Random predictions, as the head's own layers would give them."""
    if hasattr(head, 'cls_out_channels'):
        bases = list(zip(head.num_base_priors, SSD_GRIDS, strict=True))
        shapes = [[(num * width, grid) for num, grid in bases] for width in (81, 4)]
    else:
        width = head.num_base_priors * head.num_attrib
        shapes = [[(width, side // stride) for stride in head.featmap_strides]]
    return [
        [torch.randn(num_images, width, grid, grid, requires_grad=True) for width, grid in levels]
        for levels in shapes
    ]


def of_matching(rounds: int, quick: bool) -> Iterator[Row]:
    """Peak memory of the loss, matching included."""
    sizes = [(8, 100)] if quick else [(8, 30), (32, 500)]
    for (title, head), (num_images, num_gts) in itertools.product(HEADS.items(), sizes):
        forms = other_forms(*head, num_images, num_gts)
        peaks = {}
        for name in ("mmdet's head", 'mined'):
            own, maps, truths, metas = forms[name]
            peaks[name] = peak_mib(lambda: own.loss_by_feat(*maps, truths, metas))  # noqa: B023
        of = f'memory of the loss of {title}, {num_images} images of {num_gts} truths'
        limit = 'the losses of all priors, before they are mined'
        yield memory(GROUP, of, "mmdet's head", peaks['mined'], peaks["mmdet's head"], limit)


def alone(rounds: int, quick: bool) -> Iterator[Row]:
    loss = torch.rand(8, 100_000)
    forms = {'mask of the hardest': lambda: hard_mask(loss, 25_000), 'plain sum': loss.sum}
    times = in_turn(forms, rounds)
    limit = "numpy's partition of a copy; the mask, ties by index, takes as long again"
    what = 'mining alone, 8 x 100,000 priors'
    yield compared(GROUP, what, times, 'mask of the hardest', 'plain sum', limit, 4)
    forms['a full sort'] = lambda: loss_rank(loss) < 25_000
    times = in_turn(forms, max(rounds // 3, 2))
    yield compared(GROUP, what, times, 'mask of the hardest', 'a full sort', limit)


def by_priors(rounds: int, quick: bool) -> Curve:
    """The curve of docs/plots: 8 images of 1,000 to 1,000,000 priors."""
    sizes = (
        [10**power for power in (3, 4, 5)]
        if quick
        else [round(10 ** (half / 2)) for half in range(6, 13)]
    )
    ms = {'a full sort': [], 'mining, K of 25 %': [], 'the plain sum': []}
    for size in sizes:
        loss = torch.rand(8, size)
        forms = [
            lambda loss=loss, size=size: loss_rank(loss) < size // 4,
            lambda loss=loss, size=size: hard_mask(loss, size // 4),
            loss.sum,
        ]
        times = in_turn(dict(zip(ms, forms, strict=True)), max(rounds // 5, 2))
        for name, each in times.items():
            ms[name].append(round(sorted(each)[len(each) // 2], 4))
    return Curve(sizes, ms)


def in_elements(rounds: int, quick: bool) -> Iterator[Row]:
    """LRMElementLoss around two losses of 12,276 priors and 80 classes."""
    pred = torch.randn(12_276, 80, requires_grad=True)
    target, weight = torch.randint(0, 81, (12_276,)), torch.ones(12_276)
    for kind, options in (('FocalLoss', {}), ('CrossEntropyLoss', dict(use_sigmoid=True))):
        losses = {
            f'the {kind}': MODELS.build(dict(type=kind, **options)),
            'mined': MODELS.build(dict(type='LRMElementLoss', loss=kind, **options)),
        }
        forms = {name: of_elements(loss, pred, target, weight) for name, loss in losses.items()}
        times = in_turn(forms, rounds)
        what = f'LRMElementLoss around {kind}{", sigmoid" if options else ""}'
        limit = 'the sum of each row, and the mask times the losses and their gradients'
        yield compared(GROUP, what, times, 'mined', f'the {kind}', limit, 1.15)


def of_elements(loss: nn.Module, pred: Tensor, *given: Tensor) -> Callable[[], object]:
    return lambda: torch.autograd.grad(loss(pred, *given, avg_factor=900), pred)


def against_lightnet(rounds: int, quick: bool) -> Iterator[Row]:
    """Time and memory of the YOLOv2 loss, without mining, against another implementation."""
    if importlib.util.find_spec('lightnet') is None:
        raise ModuleNotFoundError('lightnet is not installed')
    for grid, num_gts in itertools.product(GRIDS, (3, 30)):
        maps, truths, metas = yolov2_inputs(16, num_gts, grid)
        forms = {
            'ours': step(yolov2(), maps, truths, metas),
            "lightnet's": of_lightnet(maps[0][0], truths, metas[0]['img_shape']),
        }
        of = f'YOLOv2 loss, {grid[1]} x {grid[0]} x 5, {num_gts} truths an image'
        times = in_turn(forms, rounds)
        yield compared(GROUP, of, times, 'ours', "lightnet's", KERNELS, 1.0)
        peaks = {name: peak_mib(form) for name, form in forms.items()}
        limit = 'losses of all priors by term, which mining ranks'
        yield memory(GROUP, f'memory of the {of}', "lightnet's", *peaks.values(), limit)


def of_lightnet(raw: Tensor, truths: list, size: tuple[int, int]) -> Callable[[], object]:
    import lightnet

    from mmdet_lrm.heads.yolov2_head import VOC_BASE_SIZES

    loss = lightnet.network.loss.RegionLoss(
        20, lightnet.util.Anchors([VOC_BASE_SIZES]), 32, coord_prefill=12800
    )
    scale = torch.tensor([size[1], size[0]] * 2)
    rows = []
    for each in truths:
        low, high = each.bboxes[:, :2], each.bboxes[:, 2:]
        boxes = torch.cat([(low + high) / 2, high - low], dim=1) / scale
        rows.append(torch.cat([each.labels[:, None].float(), boxes], dim=1))
    target = torch.stack(rows)
    # It scales its targets in place.
    return lambda: torch.autograd.grad(loss(raw, target.clone()).sum(), raw)


ROWS = (in_yolov2, in_others, of_matching, alone, in_elements, against_lightnet)
