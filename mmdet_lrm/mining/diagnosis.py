"""What mining would find in a training: who carries the loss and the gradient of the objectness.

Loss Rank Mining takes the easy background out of a step. It can only change a training in which the
easy background carries a share of the gradient that matters; this measures that share, with and
without mining switched on, at the cost of one more computation of the loss now and then.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from .lrm_loss import LRMLoss
from .options import checked_amount
from .pictures import bare
from .prior_losses import PriorLosses

PREFIX = 'diagnosis/'
OWN = 'own'
"""In the place of a K: what the head's own ``lrm`` keeps, thinned and all."""
GROUPS = ('positives', 'hard', 'easy')

# Below this share of the gradient a step with mining is the step without it, to rounding of what
# else varies between two trainings.
NEGLIGIBLE = 0.02
# Above this share of positives lost, mining forgets objects rather than background.
TOO_MANY_MISSED = 0.02
# Above this ratio of hard negatives to positives the objects are outweighed after mining too.
OUTWEIGHED = 10
# Measurements whose mean is more than the chance of a batch.
ENOUGH = 10


class PriorGradients(NamedTuple):
    """Losses of a batch's priors, and how strongly each pulls at its own objectness."""

    losses: PriorLosses
    gradient: Tensor
    """(N, P) absolute gradient of the summed loss with respect to the prior's logit of objectness;
    for a head without objectness, summed over its logits of classes, background included."""


def prior_gradients(head: nn.Module, outs: tuple, *truths: object) -> PriorGradients:
    """Losses and gradients of every prior, of the maps and truths that ``loss_by_feat`` is given.

    Args:
        head: YOLOV2Head, LRMYOLOV3Head or LRMSSDHead.
        outs: what its forward returns: lists of maps (N, A * K, H, W). The first list holds
            objectness or classes.
        truths: the other arguments of ``loss_by_feat``.
    """
    with torch.enable_grad():
        outs = [[each.detach().float().requires_grad_() for each in maps] for maps in outs]
        losses = head.prior_losses(*outs, *truths)
        total = sum(loss.sum() for loss in losses.losses.values())
        gradients = torch.autograd.grad(total, outs[0])
    by_prior = []
    counts = head.prior_generator.num_base_priors
    for gradient, num_base in zip(gradients, counts, strict=True):
        columns = gradient.unflatten(1, (num_base, -1)).permute(0, 3, 4, 1, 2).flatten(1, 3).abs()
        by_prior.append(columns[..., 4] if 'loss_conf' in head.loss_terms else columns.sum(dim=-1))
    detached = {term: loss.detach() for term, loss in losses.losses.items()}
    return PriorGradients(losses._replace(losses=detached), torch.cat(by_prior, dim=1))


def shares(measured: PriorGradients, hardest: Tensor) -> dict[str, Tensor]:
    """Shares of positives, and of negatives among the hardest and beyond them.

    Args:
        hardest: (N, P) bool, such as the ``hard_mask`` of a miner.

    Returns:
        ``loss/positives``, ``loss/hard``, ``loss/easy``, which sum to 1; the same of ``gradient``;
        and ``missed``, the share of the positives that are not among the hardest. Scalars in [0, 1]
        (``missed``: NaN without positives).
    """
    losses, valid, positive = measured.losses[:3]
    positive = positive & valid
    negative = valid & ~positive
    masks = dict(zip(GROUPS, (positive, negative & hardest, negative & ~hardest), strict=True))
    found = {}
    for kind, amount in (('loss', sum(losses.values())), ('gradient', measured.gradient)):
        total = (amount * valid).sum().clamp(min=torch.finfo(amount.dtype).tiny)
        found |= {f'{kind}/{name}': (amount * mask).sum() / total for name, mask in masks.items()}
    found['missed'] = (positive & ~hardest).sum() / positive.sum()
    return found


class MeasuringHook(Hook):
    """Computes the loss once more every few iterations, for :meth:`report`.

    Weights, gradients and the order of random numbers stay what they are without the hook. What is
    measured are the first process's images.

    Args:
        interval: Iterations between two measurements.
    """

    def __init__(self, interval: int) -> None:
        if interval < 1:
            name = type(self).__name__
            raise ValueError(f'{name}.interval is {interval}; it must be at least 1')
        self.interval = interval
        self._measured: PriorGradients | None = None
        self._due = False

    def report(self, runner: Runner, measured: PriorGradients) -> None:
        """Called after each iteration that was measured."""
        raise NotImplementedError

    def before_train(self, runner: Runner) -> None:
        head = getattr(bare(runner.model), 'bbox_head', None)
        if not hasattr(head, 'prior_losses'):
            raise ValueError(
                f'{type(self).__name__} needs a head of mmdet_lrm (YOLOV2Head, LRMYOLOV3Head, '
                f'LRMSSDHead), and the model has {type(head).__name__}'
            )
        if getattr(head, 'ignore_iof_thr', 0) is None:
            raise ValueError(
                f'{type(self).__name__} needs the losses of the priors, and without lrm and '
                f'ignore_iof_thr {type(head).__name__} leaves them to its parent; set '
                'model.bbox_head.ignore_iof_thr=0.5'
            )
        loss_by_feat = head.loss_by_feat
        num_outs = 2 if 'loss_bbox' in head.loss_terms else 1

        def observed(*args: object) -> dict[str, Tensor]:
            if self._due:
                self._measured = prior_gradients(head, args[:num_outs], *args[num_outs:])
            return loss_by_feat(*args)

        head.loss_by_feat = observed

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        self._due = runner.iter % self.interval == 0

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: object = None
    ) -> None:
        measured, self._measured = self._measured, None
        if measured is not None:
            self.report(runner, measured)

    def after_train(self, runner: Runner) -> None:
        vars(bare(runner.model).bbox_head).pop('loss_by_feat', None)


@HOOKS.register_module()
class MiningDiagnosisHook(MeasuringHook):
    """Log :func:`shares` every few iterations.

    They go to the visualiser's backends, beside the losses, as ``diagnosis/0.25/gradient/easy`` and
    so on, and of a head that mines as ``diagnosis/own/...`` by what its ``lrm`` keeps.

    Args:
        interval: Iterations between two measurements.
        hard_ratios: The shares K of the priors to tell hard from easy by, in (0, 1].
    """

    def __init__(
        self, interval: int = 20, hard_ratios: Sequence[float] = (0.05, 0.1, 0.25, 0.5)
    ) -> None:
        super().__init__(interval)
        for ratio in hard_ratios:
            checked_amount(None, ratio, 'MiningDiagnosisHook: ')
        self.hard_ratios = tuple(hard_ratios)

    def report(self, runner: Runner, measured: PriorGradients) -> None:
        miners = {str(ratio): LRMLoss(hard_ratio=ratio) for ratio in self.hard_ratios}
        if (own := getattr(bare(runner.model).bbox_head, 'lrm', None)) is not None:
            miners[OWN] = own
        scalars = {}
        for by, miner in miners.items():
            found = shares(measured, miner.hard_mask(measured.losses))
            scalars |= {f'{PREFIX}{by}/{name}': float(value) for name, value in found.items()}
        runner.visualizer.add_scalars(scalars, step=runner.iter + 1)


def stages(measured: dict[str, list]) -> dict[str, dict[str, float]]:
    """Means over the first and over the last fifth of the measurements.

    Args:
        measured: columns of equal length: ``iter``, and by ``0.25/gradient/easy`` and so on what
            :func:`shares` found, None or NaN where it has no value.

    Returns:
        For ``beginning`` and ``end``, the mean of each column but ``iter``.

    A batch without objects misses none of them: what it has no value of does not count.
    """
    part = max(len(measured['iter']) // 5, 1)
    columns = {key: np.array(column, dtype=float) for key, column in measured.items() if '/' in key}
    parts = {'beginning': slice(part), 'end': slice(-part, None)}
    return {
        stage: {key: _mean(column[where]) for key, column in columns.items()}
        for stage, where in parts.items()
    }


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan


def ratios(values: Iterable[str]) -> list[str]:
    """The K of names such as ``0.25/gradient/easy``, as they are spelt, without ``OWN``."""
    first = dict.fromkeys(name.split('/')[0] for name in values if '/' in name)
    return [ratio for ratio in first if ratio != OWN]


def table(measured: dict[str, list]) -> str:
    """Markdown: shares of the gradient in percent, by stage and K, of measurements as ``stages``.

    The last column is the share of the positives that are not among the hardest K.
    """
    lines = [
        '| stage | K | positives | hard negatives | easy negatives | positives outside K |',
        '| --- | ---: | ---: | ---: | ---: | ---: |',
    ]
    for stage, means in stages(measured).items():
        titles = {ratio: f'{100 * float(ratio):g} %' for ratio in ratios(means)}
        if f'{OWN}/missed' in means:
            titles[OWN] = 'as mined'
        for by, title in titles.items():
            keys = [*(f'{by}/gradient/{group}' for group in GROUPS), f'{by}/missed']
            cells = [f'{100 * means[key]:.1f}' for key in keys]
            lines.append(f'| {stage} | {title} | {" | ".join(cells)} |')
    return 'Share of the gradient, in percent:\n\n' + '\n'.join(lines) + '\n'


def seen(measured: dict[str, list]) -> str:
    """How much the measurements rest on, which a verdict should be read after."""
    num, last = len(measured['iter']), measured['iter'][-1]
    text = f'Measured {num} times in {last} iterations; beginning and end are a fifth of that each.'
    if num < 5 * ENOUGH:
        seen = max(num // 5, 1)
        text += (
            ' That is little, and the training has hardly begun: below is what '
            f'{seen} {"batches show" if seen > 1 else "batch shows"}. At least {5 * ENOUGH} '
            'measurements say more (--interval, --epochs).'
        )
    return text


def verdict(measured: dict[str, list]) -> str:
    """What mining with each K could do from here on, a line for each, of the end's ``stages``."""
    means = stages(measured)['end']
    lines = []
    for ratio in ratios(means):
        positives, hard, easy = (means[f'{ratio}/gradient/{group}'] for group in GROUPS)
        missed = means[f'{ratio}/missed']
        if easy < NEGLIGIBLE:
            text = 'changes next to nothing: what it takes out carries no gradient'
        else:
            text = f'takes out {100 * easy:.0f} % of the gradient, all of it of easy background'
        outweighed = hard > OUTWEIGHED * positives
        if outweighed:
            text += (
                f'; the background it keeps still has {hard / max(positives, 1e-9):.0f} times the '
                f'gradient of the objects: take a smaller K'
            )
        if missed > TOO_MANY_MISSED:
            remedy = 'set' if outweighed else 'take a larger K, or'
            text += (
                f'; it would drop {100 * missed:.0f} % of the positives: {remedy} '
                'keep_positives=True'
            )
        lines.append(f'hard_ratio={ratio} {text}.')
    return '\n'.join(lines)
