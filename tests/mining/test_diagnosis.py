"""Shares of loss and gradient, on hand-worked numbers and in a real training step."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmdet.registry import HOOKS, MODELS
from mmengine.structures import InstanceData

from mmdet_lrm.mining.diagnosis import (
    NEGLIGIBLE,
    TOO_MANY_MISSED,
    PriorGradients,
    prior_gradients,
    seen,
    shares,
    table,
    verdict,
)
from mmdet_lrm.mining.lrm_loss import LRMLoss
from mmdet_lrm.mining.prior_losses import PriorLosses

WHY = Path(__file__).parents[2] / 'docs/why.md'
META = dict(img_shape=(64, 64), pad_shape=(64, 64))
TRUTH = InstanceData(bboxes=torch.tensor([[8.0, 8.0, 40.0, 40.0]]), labels=torch.tensor([1]))
HEADS = {
    'region': (dict(type='YOLOV2Head', num_classes=2, in_channels=4), [[(5 * 7, 2, 2)]]),
    'yolo': (
        dict(type='LRMYOLOV3Head', num_classes=2, in_channels=(4, 4, 4), ignore_iof_thr=0.5,
             train_cfg=dict(assigner=dict(type='GridAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5,
                                          min_pos_iou=0))),
        [[(3 * 7, size, size) for size in (2, 4, 8)]],
    ),
    'ssd': (
        dict(
            type='LRMSSDHead', num_classes=2, in_channels=(4,), ignore_iof_thr=0.5,
            anchor_generator=dict(type='SSDAnchorGenerator', scale_major=False, input_size=64,
                                  strides=[16], ratios=([2],), min_sizes=[20], max_sizes=[40]),
            train_cfg=dict(
                assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5,
                              min_pos_iou=0.0, ignore_iof_thr=-1, gt_max_assign_all=False),
                sampler=dict(type='PseudoSampler'), smoothl1_beta=1.0, allowed_border=-1,
                pos_weight=-1, neg_pos_ratio=3, debug=False,
            ),
        ),
        [[(4 * 3, 4, 4)], [(4 * 4, 4, 4)]],
    ),
}  # fmt: skip


def test_shares_of_hand_worked_losses():
    # Eight priors: one positive of loss 1, one ignored; the two hardest have 4 and 3.
    losses = torch.tensor([[1.0, 4, 3, 1, 1, 0.5, 0.5, 99]])
    gradient = torch.tensor([[2.0, 1, 1, 1, 1, 1, 1, 99]])
    valid = torch.arange(8)[None] < 7
    positive = torch.arange(8)[None] == 0
    priors = PriorLosses(dict(loss_conf=losses), valid, positive)
    hardest = LRMLoss(num_hard=2).hard_mask(priors)
    found = shares(PriorGradients(priors, gradient), hardest)
    expected = {
        'loss/positives': 1 / 11,
        'loss/hard': 7 / 11,
        'loss/easy': 3 / 11,
        'gradient/positives': 2 / 8,
        'gradient/hard': 2 / 8,
        'gradient/easy': 4 / 8,
        'missed': 1.0,
    }
    assert {key: float(value) for key, value in found.items()} == pytest.approx(expected)
    assert float(shares(PriorGradients(priors, gradient), valid)['missed']) == 0
    none = priors._replace(positive=torch.zeros_like(positive))
    assert math.isnan(shares(PriorGradients(none, gradient), valid)['missed'])


@pytest.mark.parametrize('kind', HEADS)
def test_gradients_are_those_of_the_maps(kind):
    config, shapes = HEADS[kind]
    head = MODELS.build(config)
    rng = torch.Generator().manual_seed(0)
    outs = [[torch.randn(2, *size, generator=rng) for size in level] for level in shapes]
    truths = [TRUTH, TRUTH], [META, META], None
    measured = prior_gradients(head, tuple(outs), *truths)
    assert measured.gradient.shape == measured.losses.valid.shape
    # One logit moved by a little changes the loss by its gradient.
    for index in (3, 7):
        image, prior = 1, index
        level = outs[0][0]
        num_base = head.prior_generator.num_base_priors[0]
        cell, base = divmod(prior, num_base)
        row, col = divmod(cell, level.shape[-1])
        width = level.shape[1] // num_base
        columns = [4] if kind != 'ssd' else range(width)
        expected = 0.0
        for column in columns:
            moved = [[each.clone().double() for each in maps] for maps in outs]
            values = []
            for step in (-1e-2, 1e-2):
                moved[0][0][image, base * width + column, row, col] = (
                    outs[0][0][image, base * width + column, row, col] + step
                )
                losses = head.prior_losses(*[[m.float() for m in maps] for maps in moved], *truths)
                values.append(sum(loss[image, prior].sum() for loss in losses.losses.values()))
            expected += abs(values[1] - values[0]) / 2e-2
        torch.testing.assert_close(measured.gradient[image, prior], expected, rtol=2e-2, atol=1e-4)


def test_the_hook_measures_every_interval_and_leaves_the_head_as_it_was():
    config, shapes = HEADS['region']
    head = MODELS.build(config)
    outs = [[torch.zeros(1, *size) for size in level] for level in shapes]
    logged = []
    runner = SimpleNamespace(
        model=SimpleNamespace(bbox_head=head),
        visualizer=SimpleNamespace(
            add_scalars=lambda scalars, step: logged.append((step, scalars))
        ),
    )
    hook = HOOKS.build(dict(type='MiningDiagnosisHook', interval=3, hard_ratios=(0.5,)))
    plain = head.loss_by_feat(*outs, [TRUTH], [META])
    hook.before_train(runner)
    for runner.iter in range(7):
        hook.before_train_iter(runner, 0)
        assert head.loss_by_feat(*outs, [TRUTH], [META]) == plain
        hook.after_train_iter(runner, 0)
    assert [step for step, _ in logged] == [1, 4, 7]
    assert 'diagnosis/0.5/gradient/easy' in logged[0][1]
    hook.after_train(runner)
    assert head.loss_by_feat.__func__ is type(head).loss_by_feat


def test_a_head_that_mines_is_measured_by_what_it_keeps_itself():
    config, shapes = HEADS['region']
    lrm = dict(type='LRMLoss', num_hard=4, nms_iou_thr=0.1, keep_positives=True)
    head = MODELS.build(config | dict(lrm=lrm))
    outs = [[torch.zeros(1, *size) for size in level] for level in shapes]
    logged = {}
    runner = SimpleNamespace(
        iter=0,
        model=SimpleNamespace(bbox_head=head),
        visualizer=SimpleNamespace(add_scalars=lambda scalars, step: logged.update(scalars)),
    )
    hook = HOOKS.build(dict(type='MiningDiagnosisHook', hard_ratios=(0.05,)))
    hook.before_train(runner)
    hook.before_train_iter(runner, 0)
    head.loss_by_feat(*outs, [TRUTH], [META])
    hook.after_train_iter(runner, 0)
    measured = prior_gradients(head, outs, [TRUTH], [META])
    expected = shares(measured, head.lrm.hard_mask(measured.losses))
    found = {name: logged[f'diagnosis/own/{name}'] for name in expected}
    assert found == pytest.approx({name: float(value) for name, value in expected.items()})
    assert found['missed'] == 0  # keep_positives, which no plain K has
    assert found['gradient/easy'] != logged['diagnosis/0.05/gradient/easy']


def test_a_head_that_leaves_the_losses_to_its_parent_is_refused():
    config, _ = HEADS['yolo']
    head = MODELS.build({key: value for key, value in config.items() if key != 'ignore_iof_thr'})
    hook = HOOKS.build(dict(type='MiningDiagnosisHook'))
    with pytest.raises(ValueError, match=r'set model\.bbox_head\.ignore_iof_thr=0\.5'):
        hook.before_train(SimpleNamespace(model=SimpleNamespace(bbox_head=head)))


def test_a_mistake_in_the_hook_is_named():
    with pytest.raises(ValueError, match='interval is 0'):
        HOOKS.build(dict(type='MiningDiagnosisHook', interval=0))
    with pytest.raises(ValueError, match='hard_ratio is 2'):
        HOOKS.build(dict(type='MiningDiagnosisHook', hard_ratios=(2,)))


def measured(easy, missed, positives=0.5):
    """Columns, as a training records them, of K = 25 %."""
    return {
        'iter': list(range(1, len(easy) + 1)),
        '0.25/gradient/positives': [positives] * len(easy),
        '0.25/gradient/hard': [1 - positives - each for each in easy],
        '0.25/gradient/easy': list(easy),
        '0.25/missed': list(missed),
    }


def test_the_table_compares_the_first_fifth_with_the_last():
    text = table(measured([0.4] * 2 + [0.2] * 6 + [0.01, 0.03], [0.0] * 8 + [0.1, None]))
    assert '| beginning | 25 % | 50.0 | 10.0 | 40.0 | 0.0 |' in text
    # The batch without objects says nothing about positives.
    assert '| end | 25 % | 50.0 | 48.0 | 2.0 | 10.0 |' in text


def test_what_was_kept_is_a_row_of_the_table_and_no_advice():
    columns = measured([0.4], [0.1])
    own = {name.replace('0.25', 'own'): values for name, values in columns.items()}
    own['own/missed'] = [0.2]
    text = table(columns | own)
    assert '| end | 25 % | 50.0 | 10.0 | 40.0 | 10.0 |' in text
    assert '| end | as mined | 50.0 | 10.0 | 40.0 | 20.0 |' in text
    assert verdict(columns | own) == verdict(columns)


@pytest.mark.parametrize(('num', 'is_little'), [(1, True), (49, True), (50, False)])
def test_a_verdict_says_how_much_it_rests_on(num, is_little):
    text = seen(dict(iter=[1 + 5 * each for each in range(num)]))
    assert text.startswith(f'Measured {num} times in {5 * num - 4} iterations; ')
    assert ('That is little' in text) == is_little
    assert ('below is what 9 batches show' in text) == (num == 49)


@pytest.mark.parametrize(
    ('positives', 'easy', 'missed', 'advice'),
    [
        (0.5, 0.01, 0.0, 'hard_ratio=0.25 changes next to nothing'),
        (0.5, 0.03, 0.0, 'hard_ratio=0.25 takes out 3 % of the gradient'),
        (0.5, 0.3, 0.015, 'all of it of easy background.'),
        (
            0.5,
            0.3,
            0.0,
            'hard_ratio=0.25 takes out 30 % of the gradient, all of it of easy background.',
        ),
        (0.5, 0.3, 0.05, 'drop 5 % of the positives: take a larger K, or keep_positives=True.'),
        (
            0.01,
            0.75,
            0.05,
            'a smaller K; it would drop 5 % of the positives: set keep_positives=True.',
        ),
        (0.01, 0.75, 0.0, 'still has 24 times the gradient of the objects: take a smaller K.'),
        (0.02, 0.76, 0.0, 'still has 11 times the gradient of the objects: take a smaller K.'),
        (0.02, 0.79, 0.0, 'takes out 79 % of the gradient, all of it of easy background.'),
    ],
)
def test_the_advice_follows_from_the_end(positives, easy, missed, advice):
    columns = measured([0.9 - positives] * 4 + [easy], [0.9] * 4 + [missed], positives)
    assert advice in verdict(columns)


def test_the_page_gives_the_advice_at_the_same_numbers():
    rules = ' '.join(WHY.read_text().partition('## A rule to tell beforehand')[2].split())
    assert f'- Easy negatives below {100 * NEGLIGIBLE:g} % of the gradient at a K: mining' in rules
    assert f'- Positives outside K above {100 * TOO_MANY_MISSED:g} %: take a larger K, or' in rules
