from unittest import mock

import pytest
import torch
from mmengine.runner.checkpoint import get_state_dict

from mmdet_lrm.mining import late_report
from mmdet_lrm.mining.late_report import LateReport


class OnDevice(torch.Tensor):
    """Flags as an accelerator's, of which the host may not ask."""

    is_cuda = True

    def any(self):
        raise AssertionError('this waits for the device')


def flags(*values):
    return torch.tensor(values).as_subclass(OnDevice)


def error(bad, when):
    return ValueError(f'{bad.tolist()}{when}')


@pytest.fixture
def without_device(monkeypatch):
    monkeypatch.setattr(late_report.torch.cuda, 'Event', mock.Mock)
    empty = torch.empty
    monkeypatch.setattr(
        late_report.torch, 'empty', lambda *args, pin_memory=False, **kwargs: empty(*args, **kwargs)
    )


def test_on_the_cpu_a_flag_is_raised_at_once():
    report = LateReport()
    report.check(torch.tensor([False, False]), error)
    with pytest.raises(ValueError, match=r'^\[False, True\]$'):
        report.check(torch.tensor([False, True]), error)


def test_on_an_accelerator_a_flag_is_raised_once_in_the_next_call(without_device):
    report = LateReport()
    report.check(flags(True, False), error)
    with pytest.raises(ValueError, match=r'^\[True, False\] in the previous training step$'):
        report.check(flags(False), error)
    report.check(flags(False), error)


@pytest.mark.parametrize(
    'act',
    [
        lambda model: model.state_dict(),
        get_state_dict,  # what MMEngine's checkpoints are written by
        lambda model: model.eval(),
    ],
)
def test_the_last_step_is_reported_before_its_weights_are_written_or_evaluated(act, without_device):
    model = torch.nn.Sequential(torch.nn.Linear(1, 1), LateReport())
    before = set(model.state_dict())
    model[1].check(flags(False), error)
    act(model)
    model.train()
    model[1].check(flags(True), error)
    with pytest.raises(ValueError, match=r'^\[True\] in the previous training step$'):
        act(model)
    assert set(model.state_dict()) == before == {'0.weight', '0.bias'}


def test_who_cannot_go_on_waits_for_the_accelerator():
    with pytest.raises(AssertionError, match='waits'):
        LateReport().check(flags(True), error, wait=True)
