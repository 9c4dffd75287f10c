"""Checkpoints that an export is given: read without running anything of them."""

import os

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from random_networks import conv, head, net, pool, write_random

from mmdet_lrm.darknet.cfg import DarknetError
from mmdet_lrm.darknet.files import export_network, import_network


@pytest.fixture
def network(tmp_path):
    """Config and checkpoint of a small detector."""
    sections = [net(64, 32), conv(8), pool(), *head()]
    files = write_random(sections, tmp_path / 'net', np.random.default_rng(0))
    return import_network(*files, tmp_path / 'in')


class Mark:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_crafted_checkpoint_runs_nothing_and_what_it_holds_is_named(network, tmp_path):
    config, checkpoint = network
    state = torch.load(checkpoint)
    torch.save(state | dict(extra=Mark(tmp_path / 'mark')), checkpoint)
    with pytest.raises(DarknetError, match=r'in\.pth holds \w+\.mkdir, for which code would run'):
        export_network(config, checkpoint, tmp_path / 'out')
    assert not (tmp_path / 'mark').exists()
    assert not list(tmp_path.glob('out*'))
    torch.load(checkpoint, weights_only=False)
    assert (tmp_path / 'mark').exists()  # the trap works


def test_what_mmengine_keeps_beside_the_weights_is_read(network, tmp_path):
    config, checkpoint = network
    hub = MessageHub.get_instance('of a training')
    hub.update_scalar('train/loss', 0.5)
    assert isinstance(hub.log_scalars['train/loss'], HistoryBuffer)
    torch.save(torch.load(checkpoint) | dict(message_hub=hub.state_dict()), checkpoint)
    export_network(config, checkpoint, tmp_path / 'out')
    assert (tmp_path / 'out.weights').exists()


def write_legacy_without_storages(path):
    torch.save(dict(a=torch.zeros(9)), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-60])


@pytest.mark.parametrize(
    ('write', 'message'),
    [
        (lambda path: path.write_text('hello, I am a text\n'), 'is no whole checkpoint of PyTorch'),
        (lambda path: path.write_bytes(b''), 'is no whole checkpoint'),
        (lambda path: path.write_bytes(b'PK\x03\x04' + bytes(60)), 'is no whole checkpoint'),
        (write_legacy_without_storages, 'is no whole checkpoint'),
        (lambda path: path.unlink(), 'cannot be read: .*No such file'),
        (lambda path: torch.save([1, 2], path), 'holds a list, and no state_dict of tensors'),
        (lambda path: torch.save(torch.zeros(3), path), 'holds a Tensor, and no state_dict'),
        (lambda path: torch.save(dict(state_dict=dict(a=1)), path), 'and no state_dict of tensors'),
        (lambda path: torch.save(dict(a=torch.zeros(1)), path), 'it belongs to another config'),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(network, tmp_path, write, message):
    config, checkpoint = network
    write(checkpoint)
    with pytest.raises(DarknetError, match=message):
        export_network(config, checkpoint, tmp_path / 'out')
    assert not list(tmp_path.glob('out*'))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda values: values[:, :2], r'weights of layer 0 .* must have the shape \(8, 3, 3, 3\)'),
        (lambda values: values * float('nan'), 'weights of layer 0 .* are not finite'),
    ],
)
def test_numbers_that_do_not_fit_are_refused(network, tmp_path, change, message):
    config, checkpoint = network
    state = torch.load(checkpoint)
    key = 'backbone.stages.0.0.conv.weight'
    state['state_dict'][key] = change(state['state_dict'][key])
    torch.save(state, checkpoint)
    with pytest.raises(DarknetError, match=message):
        export_network(config, checkpoint, tmp_path / 'out')
