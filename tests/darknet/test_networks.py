"""Backbones and neck."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS

from mmdet_lrm.darknet.neck import reorg
from mmdet_lrm.darknet.networks import darknet_maxpool


def test_reorg_equals_darknets(shared_dir):
    golden = np.load(shared_dir / 'golden' / 'darknet_reorg' / 'reorg_stride2.npz')
    assert torch.equal(reorg(torch.from_numpy(golden['x'])), torch.from_numpy(golden['y']))


def test_reorg_of_a_hand_worked_map():
    # Four channels of 2 x 2 are read as one of 4 x 4, row after row. Every second pixel of every
    # second row of it goes to the first plane of 2 x 2, which is then read as four channels.
    x = torch.arange(16.0).reshape(1, 4, 2, 2)
    assert reorg(x).shape == (1, 16, 1, 1)
    assert reorg(x).flatten().tolist() == [0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15]


@pytest.mark.parametrize('shape', [(1, 4, 3, 4), (1, 4, 4, 5), (1, 3, 4, 4)])
def test_reorg_names_a_size_that_does_not_divide(shape):
    with pytest.raises(ValueError, match='reorg with stride 2 was given a map of'):
        reorg(torch.zeros(shape))


def test_pooling_with_stride_one_keeps_the_size_and_looks_right_and_down():
    x = torch.tensor([[[[1.0, 5.0], [3.0, -2.0]]]])
    assert darknet_maxpool(1)(x).tolist() == [[[[5.0, 5.0], [3.0, -2.0]]]]


def test_pooling_with_stride_two_keeps_an_odd_border():
    x = torch.tensor([[[[1.0, 2.0, 7.0]]]])
    assert darknet_maxpool(2)(x).tolist() == [[[[2.0, 7.0]]]]


def test_pooling_with_another_stride_is_refused():
    with pytest.raises(ValueError, match='stride of a max-pooling is 3; it must be 2'):
        darknet_maxpool(3)


def test_darknet19_with_passthrough_has_yolov2s_maps_and_parameters():
    backbone = MODELS.build(dict(type='Darknet19')).eval()
    neck = MODELS.build(dict(type='PassthroughNeck')).eval()
    head = MODELS.build(dict(type='YOLOV2Head', num_classes=20, in_channels=1024))
    with torch.no_grad():
        maps = backbone(torch.zeros(1, 3, 64, 96))
        (out,) = neck(maps)
        ((raw,),) = head((out,))
    assert [tuple(each.shape) for each in maps] == [(1, 512, 4, 6), (1, 1024, 2, 3)]
    assert raw.shape == (1, 125, 2, 3)
    # yolov2-voc.weights holds 50,676,061 numbers, of which the BN means and variances are no
    # parameters here.
    modules = (backbone, neck, head)
    num_params = sum(p.numel() for module in modules for p in module.parameters())
    assert 50.6e6 < num_params < 50.7e6
    convs = [m for module in modules for m in module.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convs) == 23


def test_the_finer_map_comes_first_in_the_passthrough():
    neck = MODELS.build(
        dict(type='PassthroughNeck', in_channels=(8, 16), out_channels=16, passthrough_channels=4)
    ).eval()
    joined = []
    neck.fuse.register_forward_pre_hook(lambda module, args: joined.append(args[0]))
    fine, last = torch.rand(1, 8, 4, 6), torch.rand(1, 16, 2, 3)
    neck((fine, last))
    assert torch.equal(joined[0][:, :16], reorg(neck.passthrough(fine)))
    assert torch.equal(joined[0][:, 16:], neck.convs(last))


def test_tiny_yolov2_follows_its_cfg():
    tiny = MODELS.build(dict(type='TinyYOLOV2')).eval()
    with torch.no_grad():
        assert tiny(torch.zeros(1, 3, 64, 64))[0].shape == (1, 1024, 2, 2)


def test_tiny_yolov2_takes_other_networks_without_norm():
    tiny = MODELS.build(
        dict(
            type='TinyYOLOV2',
            channels=(16, 32, 64),
            pools=(2, 1, 0),
            kernel_sizes=(3, 3, 1),
            norm_cfg=None,
            act_cfg=None,
        )
    )
    assert tiny(torch.zeros(1, 3, 32, 32))[0].shape == (1, 64, 16, 16)
    assert tiny.stages[2][0].conv.kernel_size == (1, 1)
    assert all(stage[0].conv.bias is not None for stage in tiny.stages)


def test_initial_weights_are_darknets():
    backbone = MODELS.build(dict(type='Darknet19'))
    backbone.init_weights()
    conv = backbone.stages[5][0].conv
    assert conv.weight.std().item() == pytest.approx((2 / (9 * 512)) ** 0.5, rel=0.01)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(channels=(16, 32), pools=(2,)), '2 stages and 1 pools'),
        (dict(channels=(16,), pools=(2,), kernel_sizes=(3, 3)), '1 channels and 2 kernel_sizes'),
        (dict(out_indices=(8,)), r'out_indices has \[8\]; the stages are numbered 0 to 7'),
    ],
)
def test_bad_options_fail_when_built(options, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='TinyYOLOV2', **options))
