"""Time the loss of the mined heads against that of mmdet's own, forward and backward, in one run.

python tools/dev/time_losses.py                    YOLOv3 at 416 and SSD300, batches of 8 and 32
python tools/dev/time_losses.py --device cuda --batch-sizes 64

Prints a Markdown table; the last column is the median of the mined head over that of mmdet. All are
timed in turn, so that whatever else the machine does hits all.
"""

import argparse
import statistics
import time

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.hub import get_config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

import mmdet_lrm  # noqa: F401  registers the heads

HEADS = {
    'YOLOv3 at 416': ('mmdet::yolo/yolov3_d53_8xb8-ms-416-273e_coco.py', 416, 'LRMYOLOV3Head'),
    'SSD300': ('mmdet::ssd/ssd300_coco.py', 300, 'LRMSSDHead'),
}
SSD_GRIDS = (38, 19, 10, 5, 3, 1)
LRM = dict(type='LRMLoss', hard_ratio=0.25)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--device', default='cpu', help='such as cpu or cuda')
    parser.add_argument('--batch-sizes', type=int, nargs='+', default=[8, 32])
    parser.add_argument('--num-gts', type=int, default=8, help='objects in an image')
    parser.add_argument('--rounds', type=int, default=9)
    args = parser.parse_args()
    print('| head | batch | mmdet, ms | without lrm, ignoring, ms | LRM, ms | LRM / mmdet |')
    print('| --- | ---: | ---: | ---: | ---: | ---: |')
    with DefaultScope.overwrite_default_scope('mmdet'):
        for title, (path, side, mined) in HEADS.items():
            for batch_size in args.batch_sizes:
                times = time_heads(path, side, mined, batch_size, args)
                parent, ignoring, lrm = (1000 * statistics.median(each) for each in times)
                print(
                    f'| {title} | {batch_size} | {parent:.0f} | {ignoring:.0f} | {lrm:.0f} '
                    f'| {lrm / parent:.2f} |',
                    flush=True,
                )


def time_heads(
    path: str, side: int, mined: str, batch_size: int, args: argparse.Namespace
) -> list[list[float]]:
    """Seconds of each round: the parent, the mined head's baseline, and the mined head with LRM."""
    model = get_config(path).model
    config = ConfigDict(model.bbox_head, train_cfg=model.train_cfg, test_cfg=model.test_cfg)
    heads = [
        MODELS.build(config),
        MODELS.build(ConfigDict(config, type=mined, ignore_iof_thr=0.5)),
        MODELS.build(ConfigDict(config, type=mined, lrm=LRM)),
    ]
    maps = raw_maps(heads[0], side, batch_size, args.device)
    leaves = [each for levels in maps for each in levels]
    truths = random_truths(batch_size, args.num_gts, side, args.device)
    metas = [dict(img_shape=(side, side), pad_shape=(side, side))] * batch_size
    for head in heads:
        head.to(args.device)
    times = [[] for _ in heads]
    for round_ in range(args.rounds + 1):
        for head, seconds in zip(heads, times, strict=True):
            begin = now(args.device)
            losses = head.loss_by_feat(*maps, truths, metas)
            total = sum(
                loss.sum() if torch.is_tensor(loss) else sum(each.sum() for each in loss)
                for loss in losses.values()
            )
            torch.autograd.grad(total, leaves)
            if round_ > 0:  # the first one warms up
                seconds.append(now(args.device) - begin)
    return times


def raw_maps(
    head: torch.nn.Module, side: int, batch_size: int, device: str
) -> list[list[torch.Tensor]]:
    """Random predictions, as the head's own layers would give them."""
    if hasattr(head, 'cls_out_channels'):
        bases = list(zip(head.num_base_priors, SSD_GRIDS, strict=True))
        shapes = [[(num * width, grid) for num, grid in bases] for width in (81, 4)]
    else:
        width = head.num_base_priors * head.num_attrib
        shapes = [[(width, side // stride) for stride in head.featmap_strides]]
    return [
        [
            torch.randn(batch_size, width, grid, grid, device=device, requires_grad=True)
            for width, grid in levels
        ]
        for levels in shapes
    ]


def random_truths(batch_size: int, num_gts: int, side: int, device: str) -> list[InstanceData]:
    truths = []
    for _ in range(batch_size):
        corners = (torch.rand(num_gts, 2, 2) * (side - 20)).to(device)
        bboxes = torch.cat([corners.amin(dim=1), corners.amax(dim=1) + 19], dim=1)
        labels = torch.randint(0, 80, (num_gts,)).to(device)
        truths.append(InstanceData(bboxes=bboxes, labels=labels))
    return truths


def now(device: str) -> float:
    if device != 'cpu':
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == '__main__':
    main()
