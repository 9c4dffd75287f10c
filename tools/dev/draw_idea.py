"""The picture of the README: all priors of an image by their loss, and those that mining keeps.

python tools/dev/draw_idea.py work_dirs/demo --out docs/plots/idea.png
    of a finished demo: its drawn images and its detector that was trained with mining
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np
import torch
from mmdet.apis import init_detector
from mmdet.models.utils import unpack_gt_instances
from mmdet.registry import DATASETS
from mmengine.dataset import pseudo_collate
from torch import nn

import mmdet_lrm  # noqa: F401  registers the heads

matplotlib.use('Agg')
from matplotlib import pyplot
from matplotlib.lines import Line2D

POSITIVE, NEGATIVE = '#0072B2', '#D55E00'  # told apart by the colour-blind too


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('demo', type=Path, help='folder of a finished demo')
    parser.add_argument('--out', type=Path, required=True, metavar='FILE.png')
    args = parser.parse_args()
    (run,) = (path.parent for path in args.demo.glob('runs/LRM-*/done.json'))
    (checkpoint,) = run.glob('epoch_*.pth')
    model = init_detector(str(run / 'config.py'), str(checkpoint), device='cpu')
    figure = draw(model, *crowded_sample(model))
    figure.savefig(args.out, dpi=110)
    print(f'wrote {args.out}')


def crowded_sample(model: nn.Module) -> tuple[dict, np.ndarray]:
    """The evaluated image with the most objects, as the model is given it, and its RGB pixels."""
    dataset = model.cfg.val_dataloader.dataset
    # For evaluation annotations stay in the pixels of the file; mining needs them resized.
    load, resize, annotations, pack = dataset.pipeline
    dataset.pipeline = [load, annotations, resize, pack]
    dataset = DATASETS.build(dataset)
    counts = [len(dataset.get_cat_ids(index)) for index in range(len(dataset))]
    sample = dataset[counts.index(max(counts))]
    return sample, sample['inputs'].permute(1, 2, 0).numpy()[..., ::-1]


@torch.no_grad()
def draw(model: nn.Module, sample: dict, image: np.ndarray) -> 'pyplot.Figure':
    """All priors by their loss, and below them those that train, on the image with its objects."""
    data = model.data_preprocessor(pseudo_collate([sample]), training=False)
    outs = model.bbox_head(model.extract_feat(data['inputs']))
    truths, ignored, metas = unpack_gt_instances(data['data_samples'])
    prior_losses = model.bbox_head.prior_losses(*outs, truths, metas, ignored)
    kept = model.bbox_head.lrm.hard_mask(*prior_losses[:5])[0]
    loss = sum(prior_losses.losses.values())[0]
    positive = prior_losses.positive[0]
    grids = [tuple(each.shape[-2:]) for each in outs[0]]
    priors = torch.cat(model.bbox_head.prior_generator.grid_priors(grids, device='cpu'))
    x, y = spread(priors, model.bbox_head.num_base_priors)

    figure, (above, below) = pyplot.subplots(2, 1, figsize=(9, 6.2), layout='constrained')
    for axis in (above, below):
        axis.imshow(image, alpha=0.45, extent=(0, image.shape[1], image.shape[0], 0))
        axis.set_axis_off()
        for x1, y1, x2, y2 in truths[0].bboxes.tolist():
            box = pyplot.Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, color='black')
            axis.add_patch(box)
    above.scatter(x, y, s=11, c=np.log10(loss.numpy() + 1e-4), cmap='viridis_r', linewidths=0)
    above.set_title(
        f'All {len(loss):,} priors of an image with {len(truths[0])} objects, the darker the '
        'larger the loss:\nnearly all is easy background',
        loc='left',
    )
    for mask, colour in ((kept & ~positive, NEGATIVE), (kept & positive, POSITIVE)):
        below.scatter(x[mask], y[mask], s=18, c=colour, linewidths=0)
    below.set_title(f'The {int(kept.sum()):,} hardest: these train in this step', loc='left')
    names = {POSITIVE: 'priors of an object', NEGATIVE: 'hard background'}
    marks = [Line2D([], [], marker='o', linestyle='', color=c, label=n) for c, n in names.items()]
    figure.legend(handles=marks, loc='outside lower left', ncols=2, frameon=False)
    return figure


def spread(priors: torch.Tensor, num_base: int) -> tuple[np.ndarray, np.ndarray]:
    """Where to draw each prior: those of one cell side by side around its centre."""
    centers = (priors[:, :2] + priors[:, 2:]) / 2
    columns = int(np.ceil(num_base**0.5))
    base = torch.arange(len(priors)) % num_base
    step = 0.8 * (centers[num_base, 0] - centers[0, 0]) / columns
    x = centers[:, 0] + step * (base % columns - (columns - 1) / 2)
    y = centers[:, 1] + step * (base // columns - (columns - 1) / 2)
    return x.numpy(), y.numpy()


if __name__ == '__main__':
    main()
