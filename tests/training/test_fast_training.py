"""What makes a training faster leaves what it learns: an epoch of three steps of each head."""

import pytest
import torch
from mmengine.optim.optimizer import amp_optimizer_wrapper
from small_detectors import PARTS
from toy_training import toy_runner


@pytest.fixture(params=PARTS)
def head(request):
    return request.param


def runner_of(folder, head, **options):
    return toy_runner(folder, parts=PARTS[head], epochs=1, **options)


def trained(runner):
    """The weights, and the types of the maps that the head trained on."""
    dtypes = set()

    def note(head, _inputs, maps):
        if head.training:
            dtypes.update(each.dtype for each in maps[0])

    runner.model.bbox_head.register_forward_hook(note)
    runner.train()
    assert runner.iter == 3
    weights = {name: each.detach() for name, each in runner.model.named_parameters()}
    return weights, dtypes


def assert_learnt_alike(weights, others, start, share):
    """The way from the weights at the start is the same but for a share of its length."""
    way, other = (
        torch.cat([(each[name] - start[name]).flatten() for name in start])
        for each in (weights, others)
    )
    assert way.norm() > 0.01
    assert (way - other).norm() <= share * way.norm()


@pytest.fixture
def plain(head, tmp_path):
    """The weights before and after a training as it is without any of these."""
    runner = runner_of(tmp_path / 'plain', head)
    start = {name: each.detach().clone() for name, each in runner.model.named_parameters()}
    return start, trained(runner)[0]


def test_channels_last_trains_alike(head, plain, tmp_path):
    start, weights = plain
    runner = runner_of(tmp_path / 'other', head)
    runner.register_hook(dict(type='ChannelsLastHook'))
    others, _ = trained(runner)
    assert_learnt_alike(weights, others, start, share=1e-3)
    last = torch.channels_last
    assert runner.model.backbone.down.weight.is_contiguous(memory_format=last)
    assert not plain[1]['backbone.down.weight'].is_contiguous(memory_format=last)


def test_mixed_precision_in_bfloat16_trains_nearly_alike(head, plain, tmp_path, monkeypatch):
    """MMEngine keeps it to accelerators; what it then does, a CPU does as well."""
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)
    start, weights = plain
    runner = runner_of(tmp_path / 'other', head)
    wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16')
    runner.optim_wrapper = runner.optim_wrapper | wrapper
    others, dtypes = trained(runner)
    assert dtypes == {torch.bfloat16}
    assert_learnt_alike(weights, others, start, share=0.2)


def test_a_compiled_step_trains_alike(head, plain, tmp_path):
    start, weights = plain
    compiled = dict(backend='eager', dynamic=False)
    others, _ = trained(runner_of(tmp_path / 'other', head, cfg=dict(compile=compiled)))
    assert_learnt_alike(weights, others, start, share=1e-3)
