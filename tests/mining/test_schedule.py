from types import SimpleNamespace

import pytest
import torch
from mmdet.registry import HOOKS
from torch import nn

from mmdet_lrm import LRMElementLoss, LRMLoss


def run(hook, iteration, model):
    runner = SimpleNamespace(model=model, iter=iteration, train_dataloader=range(10))
    hook.before_train_iter(runner, batch_idx=0)
    return [module.strength for module in model if hasattr(module, 'strength')]


def build(**options):
    return HOOKS.build(dict(type='LRMScheduleHook', **options))


def test_mining_begins_at_its_epoch_and_anneals():
    model = nn.ModuleList([LRMLoss()])
    hook = build(begin=1, end=3)
    strengths = [run(hook, iteration, model)[0] for iteration in (0, 10, 15, 20, 30, 99)]
    assert strengths == [0, 0, 0.25, 0.5, 1, 1]


def test_mining_begins_in_one_step_at_an_iteration():
    model = nn.ModuleList([LRMLoss()])
    hook = build(begin=7, by_epoch=False)
    assert [run(hook, iteration, model)[0] for iteration in (6, 7)] == [0, 1]


def test_mining_is_released_to_all_priors():
    model = nn.ModuleList([LRMLoss()])
    hook = build(begin=1, end=2, release=(2, 6))
    strengths = [run(hook, iteration, model)[0] for iteration in (0, 15, 20, 30, 50, 60, 99)]
    assert strengths == [0, 0.5, 1, 0.75, 0.25, 0, 0]


def test_a_loss_that_mines_by_itself_is_steered_as_well():
    model = nn.ModuleList([LRMLoss(), LRMElementLoss('L1Loss', num_hard=1)])
    assert run(build(begin=1), 5, model) == [0, 0]
    pred, target = torch.tensor([[3.0], [1.0], [2.0]]), torch.zeros(3, 1)
    assert model[1](pred, target, reduction_override='sum').item() == 6
    assert run(build(begin=1, end=3), 20, model) == [0.5, 0.5]
    assert model[1](pred, target, reduction_override='sum').item() == 5
    assert run(build(begin=1), 10, model) == [1, 1]
    assert model[1](pred, target, reduction_override='sum').item() == 3


@pytest.mark.parametrize(
    'options',
    [
        dict(begin=-1),
        dict(begin=5, end=4),
        dict(begin=1, release=(0, 4)),
        dict(release=(4, 2)),
        dict(release=(4,)),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(options):
    with pytest.raises(ValueError, match=r'0 <= begin <= end <= release\[0\].*in epochs'):
        build(**options)


def test_a_model_without_mining_is_refused_before_training():
    with pytest.raises(ValueError, match=r'the model has no LRMLoss'):
        build().before_train(SimpleNamespace(model=nn.ModuleList()))
