"""What the kept losses are divided by, on hand-worked numbers."""

import pytest
import torch

from mmdet_lrm.mining import reduction
from mmdet_lrm.mining.prior_losses import PriorLosses
from mmdet_lrm.mining.reduction import reduce_losses

LOSS = torch.tensor([[4.0, 3.0, 2.0, 1.0], [10.0, 20.0, 30.0, 40.0]])
VALID = torch.tensor([[True, True, True, False], [True] * 4])
POSITIVE = torch.tensor([[True, False, True, True], [False] * 4])
MASK = torch.tensor([[True, True, False, False], [False, False, False, True]])
PRIOR_LOSSES = PriorLosses(dict(loss_conf=LOSS, loss_xy=2 * LOSS), VALID, POSITIVE)


def reduced(mask=MASK, normalizer='head', **fields):
    losses = reduce_losses(PRIOR_LOSSES._replace(**fields), mask, normalizer)
    return [losses['loss_conf'].item(), losses['loss_xy'].item()]


def test_without_a_mask_the_valid_priors_train():
    assert reduced(mask=None, avg_factor=1.0) == [109.0, 218.0]


@pytest.mark.parametrize(
    ('normalizer', 'divisor'), [('head', 5), ('batch', 2), ('positives', 2), ('hard', 3)]
)
def test_the_sum_of_the_kept_is_divided_by_the_normalizer(normalizer, divisor):
    # The positive in the ignored region counts neither as kept nor as one of the positives.
    expected = pytest.approx([47 / divisor, 94 / divisor])
    assert reduced(normalizer=normalizer, avg_factor=5.0) == expected


def test_a_head_that_names_no_divisor_has_the_number_of_images():
    assert reduced() == [23.5, 47.0]


@pytest.mark.parametrize('normalizer', ['positives', 'hard'])
def test_nothing_kept_is_divided_by_one(normalizer):
    none = torch.zeros_like(MASK)
    assert reduced(mask=none, normalizer=normalizer, positive=none) == [0.0, 0.0]


@pytest.mark.parametrize(('normalizer', 'counted'), [('positives', 2.0), ('hard', 3.0)])
def test_a_count_is_the_mean_of_the_processes(monkeypatch, normalizer, counted):
    # A stand-in for two processes, of which the other one counts 10.
    monkeypatch.setattr(reduction, 'reduce_mean', lambda count: (count + 10) / 2)
    assert reduced(normalizer=normalizer) == pytest.approx(
        [47 / ((counted + 10) / 2), 94 / ((counted + 10) / 2)]
    )


def test_of_several_processes_a_count_is_at_least_one_of_all_together(monkeypatch):
    # Of four processes three count nothing, and this one a positive: 1 / 4 in the mean.
    monkeypatch.setattr(reduction, 'reduce_mean', lambda count: count / 4)
    monkeypatch.setattr(reduction, 'get_world_size', lambda: 4)
    one = torch.zeros_like(POSITIVE)
    one[0, 0] = True
    assert reduced(mask=one, normalizer='positives', positive=one) == [4 * 4.0, 4 * 8.0]


def test_what_is_invalid_may_be_infinite_and_what_is_left_out_has_no_gradient():
    loss = torch.tensor([[1.0, torch.inf, 2.0, torch.nan, 5.0]]).requires_grad_()
    valid = torch.tensor([[True, False, True, False, True]])
    mask = torch.tensor([[True, False, True, False, False]])
    total = reduce_losses(PriorLosses(dict(loss=loss), valid), mask)['loss']
    total.backward()
    assert total.item() == 3
    assert loss.grad.tolist() == [[1.0, 0.0, 1.0, 0.0, 0.0]]
