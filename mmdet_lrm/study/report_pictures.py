"""Pictures of a report that need detections or a checkpoint: curves, images with errors, mining."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import mmcv
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..colours import BLUE, GREEN, ORANGE, PURPLE, RED, SKY
from ..launch.models import build_detector
from ..mining import pictures
from ..mining.pictures import MinedImage, annotated_pipeline, draw_box, mined_image
from ..mining.visualization import evaluation_steps
from . import names
from .detections import last_checkpoint
from .errors import FALSE, FOUND
from .looking import Look, PrecisionRecall, Wrong
from .plots import COLOURS, OF_ERROR, STYLE, as_percent

# Colour and line of what is drawn in an image; 'found' and 'missed' are truths.
OF_BOX = {
    FOUND: (BLUE, '-'),
    'missed': ('black', '--'),
    'localisation': (ORANGE, '-'),
    'class': (GREEN, '-'),
    'both': (SKY, '-'),
    'duplicate': (PURPLE, '-'),
    'background': (RED, '-'),
}
LINES = ('-', '--', '-.', ':')
IMAGE_WIDTH = 6.0  # inches


def jpeg(figure: Figure, dpi: int = 110) -> bytes:
    """Of photographs, which a PNG has four times as large."""
    file = io.BytesIO()
    figure.savefig(file, format='jpeg', dpi=dpi, pil_kwargs=dict(quality=85))
    return file.getvalue()


@matplotlib.rc_context(STYLE)
def draw_curves(of: Mapping[str, PrecisionRecall]) -> Figure:
    """Precision over recall, by the names of methods."""
    figure = Figure(figsize=(3.5, 2.9 + 0.2 * len(of)))
    axes = figure.subplots()
    for number, (label, curve) in enumerate(of.items()):
        axes.plot(
            curve.recall,
            curve.precision,
            color=COLOURS[number % len(COLOURS)],
            linestyle=LINES[number % len(LINES)],
            label=f'{names.method(label)}: AP {curve.ap:.1f}',
        )
    axes.set(xlim=(0, 101), ylim=(0, 101), xlabel='recall', ylabel='precision')
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(as_percent)
    figure.legend(loc='outside lower center')
    return figure


@matplotlib.rc_context(STYLE)
def draw_wrong(found: Wrong) -> Figure:
    """An image with truths that are found and missed, and with detections that are wrong."""
    picture = mmcv.imread(found.image.path, channel_order='rgb')
    height, width = picture.shape[:2]
    figure = Figure(figsize=(IMAGE_WIDTH, IMAGE_WIDTH * height / width), layout='none')
    axes = figure.add_axes((0, 0, 1, 1))
    pictures.show(axes, picture)
    axes.set_axis_off()
    judged, image = found.judged, found.image
    for box in image.ignored:
        draw_box(axes, box, hatch='///', edgecolor='white', linewidth=1)
    layers = [(FOUND, image.boxes[judged.taken]), ('missed', image.boxes[judged.missed])]
    layers += [(kind, image.found[judged.kinds == kind]) for kind in FALSE]
    for kind, boxes in layers:
        colour, line = OF_BOX[kind]
        for box in boxes:
            draw_box(axes, box, edgecolor='white', linewidth=3)
            draw_box(axes, box, edgecolor=colour, linestyle=line, linewidth=1.6)
    return figure


@matplotlib.rc_context(STYLE)
def draw_key() -> Figure:
    """What the colours of :func:`draw_wrong` mean."""
    figure = Figure(figsize=(IMAGE_WIDTH, 0.65))
    texts = {FOUND: 'object that is found', 'missed': 'object that is missed'}
    handles = [
        Line2D([], [], color=colour, linestyle=line, linewidth=2.5,
               label=texts.get(kind, f'wrong: {OF_ERROR.get(kind, kind)}'))
        for kind, (colour, line) in OF_BOX.items()
    ]  # fmt: skip
    figure.legend(handles=handles, loc='center', ncols=3)
    return figure


def mined_images(seen: Look, paths: Sequence[str]) -> list[tuple[str, MinedImage]]:
    """What the last checkpoint of a run would mine in images of its evaluation, by their names.

    Raises:
        MiningPictureError: the head does not mine, or not in a way that can be shown.
    """
    model = build_detector(seen.config, last_checkpoint(seen.folder))
    pipeline = annotated_pipeline(evaluation_steps(seen.config))
    infos = {info['img_path']: info for info in seen.infos.values()}
    return [(Path(path).name, mined_image(model, pipeline(dict(infos[path])))) for path in paths]


def mining_row(name: str, mined: MinedImage) -> list[str]:
    """Name, objects, share kept, positives filtered of all, loss at the rank."""
    positive, kept = mined.positive & mined.valid, mined.kept
    rank = pictures.easiest_kept(mined)
    return [
        name,
        str(len(mined.truths)),
        f'{100 * kept.sum() / max(mined.valid.sum(), 1):.1f} %',
        f'{np.sum(positive & ~kept)} of {positive.sum()}',
        'no background trains' if rank is None else f'{rank:.3g}',
    ]
