"""What is mined in one image: its priors, their losses, which of them train; and a picture of it.

Letters: P priors of an image over all its levels, A base priors of a cell.
"""

import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from mmcv.transforms import Compose
from mmdet.models.utils import unpack_gt_instances
from mmdet.registry import TRANSFORMS
from mmengine.dataset import pseudo_collate
from mmengine.model import is_model_wrapper
from mmengine.visualization.utils import img_from_canvas
from torch import nn

from ..colours import BLUE, GREY, RED
from ..errors import UserError

POSITIVE, HARD, TRUTH = BLUE, RED, 'black'
PANEL = 6.5  # inches wide
DECADES = 4  # of the colours, downwards from the largest loss
HARDEST = 10  # priors whose boxes are shown


class MiningPictureError(UserError):
    """Nothing is mined, or not in a way that can be shown."""


class MinedImage(NamedTuple):
    """What Loss Rank Mining makes of an image; all boxes are x1, y1, x2, y2 in input pixels."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, as the network is given it."""
    truths: np.ndarray
    """(G, 4)."""
    labels: np.ndarray
    """(G,) ids of the truths' classes."""
    ignored: np.ndarray
    """(I, 4), regions that neither train nor rank."""
    priors: np.ndarray
    """(P, 4)."""
    loss: np.ndarray
    """(P,), by which priors are ranked."""
    valid: np.ndarray
    """(P,) bool, False for what is ignored or padding."""
    positive: np.ndarray
    """(P,) bool, whether a truth is assigned to the prior."""
    kept: np.ndarray
    """(P,) bool, whether the prior trains."""
    grids: tuple[tuple[int, int, int], ...]
    """By level rows, columns and base priors, whose product is its number of priors."""
    strides: tuple[tuple[int, int], ...]
    """By level from column to column and from row to row, in input pixels."""


def bare(model: nn.Module) -> nn.Module:
    """Without what distributed training wraps around it."""
    return model.module if is_model_wrapper(model) else model


def mining_head(model: nn.Module) -> nn.Module:
    """The model's head, which ranks its priors and mines.

    Raises:
        MiningPictureError: it cannot, or is not told to.
    """
    head = getattr(model, 'bbox_head', None)
    name = type(head).__name__
    if not hasattr(head, 'prior_losses'):
        raise MiningPictureError(
            f'{name} does not rank its priors, so there is nothing to show; YOLOV2Head, '
            'LRMYOLOV3Head and LRMSSDHead do'
        )
    if head.lrm is None:
        raise MiningPictureError(
            f'{name} has no lrm, so nothing is mined. Set it in the config, or by '
            '--cfg-options model.bbox_head.lrm="dict(type=\'LRMLoss\', hard_ratio=0.25)"'
        )
    return head


def annotated_pipeline(steps: Sequence[Mapping]) -> Compose:
    """A pipeline of an evaluation with truths that follow the image to the size of the input.

    An evaluation has its truths in the pixels of the file, or none at all.
    """
    steps = [dict(step) for step in steps if step['type'] != 'LoadAnnotations']
    steps.insert(1, dict(type='LoadAnnotations', with_bbox=True))
    return Compose([TRANSFORMS.build(step) for step in steps])


@torch.no_grad()
def mined_image(model: nn.Module, sample: Mapping) -> MinedImage:
    """What the mining of a model would make of an image, as the weights are now.

    Batch norms use their running statistics, as in an evaluation, and learn nothing from it.

    Args:
        model: a detector whose ``bbox_head`` is one of this package's, with ``lrm``.
        sample: what :func:`annotated_pipeline` makes of an item of a dataset, its image in BGR.

    Raises:
        MiningPictureError: the head does not mine.
    """
    head, training = mining_head(model), model.training
    model.eval()
    data = model.data_preprocessor(pseudo_collate([sample]), training=False)
    outs = head(model.extract_feat(data['inputs']))
    model.train(training)
    truths, ignored, metas = unpack_gt_instances(data['data_samples'])
    found = head.prior_losses(*outs, truths, metas, ignored)
    generator, counts = head.prior_generator, head.prior_generator.num_base_priors
    grids = [tuple(each.shape[-2:]) for each in outs[0]]
    priors = torch.cat(generator.grid_priors(grids, device='cpu'))
    kept = head.lrm.hard_mask(found)
    of_image = (head.lrm.ranked_loss(found.losses), found.valid, found.positive, kept)
    given = sample['data_samples']
    return MinedImage(
        sample['inputs'].permute(1, 2, 0).clamp(0, 255).to(torch.uint8).numpy()[..., ::-1],
        boxes_of(given.gt_instances.bboxes),
        given.gt_instances.labels.numpy(),
        boxes_of(given.ignored_instances.bboxes) if 'ignored_instances' in given else NO_BOXES,
        priors.numpy(),
        *(each[0].cpu().numpy() for each in of_image),
        tuple((*grid, count) for grid, count in zip(grids, counts, strict=True)),
        tuple(generator.strides),
    )


NO_BOXES = np.zeros((0, 4), np.float32)


def boxes_of(found: object) -> np.ndarray:
    """(n, 4) of a tensor or of mmdet's boxes."""
    return getattr(found, 'tensor', found).cpu().numpy()


def level_maps(mined: MinedImage) -> list[np.ndarray]:
    """(rows, columns) of each level: the largest loss of the priors of a cell, NaN without any."""
    losses = np.where(mined.valid, mined.loss, -np.inf)
    ends = np.cumsum([np.prod(grid) for grid in mined.grids])[:-1]
    parts = zip(np.split(losses, ends), mined.grids, strict=True)
    maps = [part.reshape(grid).max(axis=-1) for part, grid in parts]
    return [np.where(np.isfinite(each), each, np.nan) for each in maps]


def easiest_kept(mined: MinedImage) -> float | None:
    """The loss at the rank: the smallest of a negative that trains; None without any."""
    losses = mined.loss[mined.kept & ~mined.positive]
    return float(losses.min()) if len(losses) else None


def dots(mined: MinedImage) -> tuple[np.ndarray, np.ndarray]:
    """x and y (P,) of where to draw each prior: those of a cell side by side around its centre."""
    x, y = ((mined.priors[:, :2] + mined.priors[:, 2:]) / 2).T.copy()
    start = 0
    for grid, strides in zip(mined.grids, mined.strides, strict=True):
        end = start + np.prod(grid)
        base, columns = np.arange(end - start) % grid[2], int(np.ceil(grid[2] ** 0.5))
        places = (base % columns, strides[0]), (base // columns, strides[1])
        for along, (place, stride) in zip((x, y), places, strict=True):
            along[start:end] += 0.8 * stride * (place - (columns - 1) / 2) / columns
        start = end
    return x, y


def draw_mining(mined: MinedImage, classes: Sequence[str] = (), title: str = '') -> Figure:
    """The image with its truths, the losses of each level, what is kept, and the hardest boxes.

    Args:
        classes: names by id, written at the truths.
        title: over all, such as the iteration.
    """
    maps = level_maps(mined)
    height, width = mined.image.shape[:2]
    columns = 2 if len(maps) < 3 or width > 2 * height else 3
    rows = -(-(len(maps) + 3) // columns)
    size = (columns * PANEL, rows * (PANEL * height / width + 0.4) + 0.7)
    figure = Figure(figsize=size, layout='constrained')
    figure.suptitle(title, fontsize=13)
    panels = [*figure.subplots(rows, columns, squeeze=False).flat]
    for axes in panels:
        axes.set_axis_off()
    first, *heat, kept, hardest = panels[: len(maps) + 3]
    show(first, mined.image)
    draw_truths(first, mined, classes)
    first.set_title(f'objects: {len(mined.truths)}, ignored regions: {len(mined.ignored)}')
    draw_losses(figure, heat, mined, maps)
    draw_kept(kept, mined)
    draw_hardest(hardest, mined)
    figure.legend(handles=legend(), loc='outside lower center', ncols=5, frameon=False)
    return figure


def show(axes: Axes, image: np.ndarray, alpha: float = 1.0) -> None:
    height, width = image.shape[:2]
    axes.imshow(image, alpha=alpha, extent=(0, width, height, 0))
    axes.autoscale(False)


def draw_box(axes: Axes, box: np.ndarray, **style: object) -> None:
    corner, size = box[:2], box[2:] - box[:2]
    axes.add_patch(Rectangle(corner, *size, **dict(fill=False, linewidth=1.5) | style))


def draw_truths(axes: Axes, mined: MinedImage, classes: Sequence[str] = ()) -> None:
    for box in mined.ignored:
        draw_box(axes, box, hatch='///', edgecolor='white', linewidth=1)
    for box, label in zip(mined.truths, mined.labels, strict=True):
        draw_box(axes, box, edgecolor='white', linewidth=3)  # seen on any ground
        draw_box(axes, box, edgecolor=TRUTH)
        if classes:
            ground = dict(facecolor='white', edgecolor='none', pad=0.8, alpha=0.75)
            axes.text(*box[:2], classes[label], fontsize=8, va='bottom', clip_on=True, bbox=ground)


def draw_losses(
    figure: Figure, panels: Sequence[Axes], mined: MinedImage, maps: Sequence[np.ndarray]
) -> None:
    """A heat map a level, with one scale for all; on it a line where the kept losses begin."""
    largest = max(np.nanmax(each, initial=1e-6) for each in maps)
    norm = LogNorm(largest / 10**DECADES, largest, clip=True)
    for axes, cells, (x, y) in zip(panels, maps, mined.strides, strict=True):
        show(axes, mined.image)
        extent = (0, x * cells.shape[1], y * cells.shape[0], 0)
        drawn = axes.imshow(cells, cmap='cividis', norm=norm, extent=extent, alpha=0.8)
        axes.set_title(f'largest loss of each cell, {cells.shape[0]} x {cells.shape[1]} cells')
    bar = figure.colorbar(drawn, ax=panels, shrink=0.9, aspect=30, pad=0.01)
    bar.set_label('loss')
    rank = easiest_kept(mined)
    if rank is not None:
        bar.ax.axhline(np.clip(rank, norm.vmin, norm.vmax), color='white', linewidth=4)
        bar.ax.axhline(np.clip(rank, norm.vmin, norm.vmax), color=HARD, linewidth=2)


def draw_kept(axes: Axes, mined: MinedImage, size: float = 1.0) -> None:
    """A dot a prior, this many times as large as in the whole picture."""
    show(axes, mined.image, alpha=0.4)
    x, y = dots(mined)
    for mask, style in zip(groups(mined), STYLES, strict=True):
        axes.scatter(x[mask], y[mask], **style | dict(s=size * style['s']))
    axes.set_title(
        f'{mined.kept.sum():,} of {mined.valid.sum():,} priors train; of objects '
        f'{(mined.kept & mined.positive).sum()} of {mined.positive.sum()}'
    )


STYLES = (
    dict(s=4, c='white', edgecolors=GREY, linewidths=0.4, label='easy: filtered'),
    dict(s=14, c=HARD, linewidths=0, label='hard background: trains'),
    dict(s=26, c=POSITIVE, edgecolors='white', linewidths=0.6, label='of an object: trains'),
    dict(s=32, c='black', marker='x', linewidths=1.5, label='of an object: filtered'),
)


def groups(mined: MinedImage) -> tuple[np.ndarray, ...]:
    """Masks (P,) of what ``STYLES`` tells apart; no valid prior is in two of them or in none."""
    positive, kept = mined.positive & mined.valid, mined.kept
    easy = mined.valid & ~kept & ~positive
    return easy, kept & ~positive, kept & positive, positive & ~kept


def draw_hardest(axes: Axes, mined: MinedImage) -> None:
    """The boxes of the priors, not those predicted from them."""
    show(axes, mined.image, alpha=0.4)
    kept = np.flatnonzero(mined.kept)
    hardest = kept[np.argsort(-mined.loss[kept], kind='stable')][:HARDEST]
    for rank, prior in reversed([*enumerate(hardest, start=1)]):
        colour = POSITIVE if mined.positive[prior] else HARD
        box = mined.priors[prior]
        draw_box(axes, box, edgecolor=colour, linewidth=2)
        axes.text(*box[:2], f'{rank}', color='white', fontsize=8, clip_on=True,
                  bbox=dict(facecolor=colour, edgecolor='none', pad=1))  # fmt: skip
    title = f'priors of the {len(hardest)} largest losses'
    if len(hardest):
        title += f', {mined.loss[hardest[0]]:.3g} to {mined.loss[hardest[-1]]:.3g}'
    axes.set_title(title)


def legend() -> list[Line2D | Patch]:
    marks = [
        Line2D([], [], linestyle='', marker=style.get('marker', 'o'), color=style['c'],
               markeredgecolor=style.get('edgecolors', style['c']), label=style['label'])
        for style in reversed(STYLES)
    ]  # fmt: skip
    return [*marks, Line2D([], [], color=HARD, label='loss at the rank: the easiest that trains')]


def rgb(figure: Figure) -> np.ndarray:
    """(H, W, 3) uint8."""
    figure.set_dpi(100)
    return img_from_canvas(FigureCanvasAgg(figure))


def png(figure: Figure, dpi: int = 150) -> bytes:
    """The same bytes for the same figure."""
    file = io.BytesIO()
    figure.savefig(file, format='png', dpi=dpi, metadata={'Software': None})
    return file.getvalue()
