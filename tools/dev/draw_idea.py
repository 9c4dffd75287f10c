"""The picture of the README: all priors of an image by their loss, and those that mining keeps.

python tools/dev/draw_idea.py work_dirs/demo --out docs/plots/idea.png
    of a finished demo: its drawn images and its first detector that was trained with mining
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mmdet.apis import init_detector

from mmdet_lrm import launch
from mmdet_lrm.mining import pictures
from mmdet_lrm.study.demo import crowded
from mmdet_lrm.training.files import write_whole


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('demo', type=Path, help='folder of a finished demo')
    parser.add_argument('--out', type=Path, required=True, metavar='FILE.png')
    args = parser.parse_args()
    (run,) = (path.parent for path in args.demo.glob('runs/LRM-seed0-*/finished.json'))
    *_, checkpoint = sorted(run.glob('epoch_*.pth'), key=lambda path: path.stat().st_mtime)
    model = init_detector(str(run / 'config.py'), str(checkpoint), device='cpu')
    _, sample = crowded(model.cfg.val_dataloader.dataset)
    figure = draw(pictures.mined_image(model, sample))
    write_whole(args.out, pictures.png(figure, dpi=110))
    print(f'wrote {args.out}')


def draw(mined: pictures.MinedImage) -> Figure:
    """All priors by their loss, and below them those that train, on the image with its objects."""
    figure = Figure(figsize=(9, 6.4), layout='constrained')
    above, below = figure.subplots(2, 1)
    x, y = pictures.dots(mined)
    for axes in (above, below):
        pictures.show(axes, mined.image, alpha=0.45)
        axes.set_axis_off()
        for box in mined.truths:
            pictures.draw_box(axes, box, edgecolor='black', linewidth=1)
    above.scatter(x, y, s=11, c=np.log10(mined.loss + 1e-4), cmap='viridis_r', linewidths=0)
    above.set_title(
        f'All {len(mined.loss):,} priors of an image with {len(mined.truths)} objects, the darker '
        'the larger the loss:\nnearly all is easy background',
        loc='left',
    )
    _, hard, positive, _ = pictures.groups(mined)
    names = {pictures.POSITIVE: 'priors of an object', pictures.HARD: 'hard background'}
    for mask, colour in zip((positive, hard), names, strict=True):
        below.scatter(x[mask], y[mask], s=18, c=colour, linewidths=0)
    below.set_title(f'The {mined.kept.sum():,} that train in this step', loc='left')
    marks = [Line2D([], [], marker='o', linestyle='', color=c, label=n) for c, n in names.items()]
    figure.legend(handles=marks, loc='outside lower left', ncols=2, frameon=False)
    return figure


if __name__ == '__main__':
    launch.program(main)
