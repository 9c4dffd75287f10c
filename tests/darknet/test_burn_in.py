import pytest
import torch
from mmengine.registry import PARAM_SCHEDULERS

from mmdet_lrm.darknet.schedule import BurnInLR


def rates(schedulers, optimizer, steps):
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return found


def make_optimizer():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=16.0)


def test_the_rate_grows_with_the_fourth_power():
    optimizer = make_optimizer()
    scheduler = PARAM_SCHEDULERS.build(
        dict(type='mmdet.BurnInLR', end=4), default_args=dict(optimizer=optimizer)
    )
    assert rates([scheduler], optimizer, 6) == pytest.approx([1 / 16, 1, 5.0625, 16, 16, 16])


def test_steps_follow_the_burn_in():
    optimizer = make_optimizer()
    steps = dict(type='MultiStepLR', by_epoch=False, milestones=[5], gamma=0.1)
    schedulers = [
        BurnInLR(optimizer, end=2, power=1),
        PARAM_SCHEDULERS.build(steps, default_args=dict(optimizer=optimizer)),
    ]
    assert rates(schedulers, optimizer, 7) == pytest.approx([8, 16, 16, 16, 16, 1.6, 1.6])


def test_it_is_resumed_from_its_state():
    optimizer = make_optimizer()
    scheduler = BurnInLR(optimizer, end=4)
    rates([scheduler], optimizer, 2)
    resumed = BurnInLR(other := make_optimizer(), end=4)
    resumed.load_state_dict(scheduler.state_dict())
    resumed.step()
    scheduler.step()
    assert other.param_groups[0]['lr'] == optimizer.param_groups[0]['lr'] == 16


def test_an_empty_burn_in_is_refused():
    with pytest.raises(ValueError, match='end is 0; it must be at least 1'):
        BurnInLR(make_optimizer(), end=0)
