"""Imports and exports compare what they wrote with an independent reading."""

import numpy as np
import pytest
import torch
from random_networks import conv, head, net, opencv_map, pool, route, section, write_random

from mmdet_lrm.darknet import files as darknet_files
from mmdet_lrm.darknet import networks, reading
from mmdet_lrm.darknet.cfg import DarknetError, follow, read_cfg
from mmdet_lrm.darknet.files import export_network, import_backbone, import_network
from mmdet_lrm.darknet.weights import read_weights

# DarknetNet, since its pooling has three.
BODY = [conv(8), pool(3), conv(8), pool()]


@pytest.fixture
def written(tmp_path):
    return write_random([net(64, 32), *BODY, *head()], tmp_path / 'net', np.random.default_rng(0))


def faulty_pool(x, size, stride, padding):
    return torch.nn.functional.max_pool2d(x, 2, stride)


def test_an_import_that_computes_another_map_leaves_nothing(written, tmp_path, monkeypatch):
    monkeypatch.setattr(networks, 'max_pool', faulty_pool)
    with pytest.raises(DarknetError, match=r'differ from those of OpenCV by .*--no-verify'):
        import_network(*written, tmp_path / 'out')
    assert sorted(each.name for each in tmp_path.iterdir()) == ['net.cfg', 'net.weights']
    said = []
    import_network(*written, tmp_path / 'out', verify=False, say=said.append)
    assert said == ['not verified']


def test_an_export_that_computes_another_map_leaves_nothing(written, tmp_path, monkeypatch):
    import_network(*written, tmp_path / 'in')
    before = sorted(tmp_path.iterdir())
    # The folding is what an export adds to an import's description.
    monkeypatch.setattr(darknet_files, 'fold_epsilons', lambda *_: reading.cpu_deviation)
    text = (tmp_path / 'in.py').read_text()
    (tmp_path / 'in.py').write_text(text.replace('eps=1e-12', 'eps=1.0'))
    with pytest.raises(DarknetError, match='differ from those of OpenCV'):
        export_network(tmp_path / 'in.py', tmp_path / 'in.pth', tmp_path / 'out')
    assert sorted(tmp_path.iterdir()) == before
    export_network(tmp_path / 'in.py', tmp_path / 'in.pth', tmp_path / 'out', verify=False)
    assert (tmp_path / 'out.weights').exists()


def test_what_was_verified_is_said(written, tmp_path):
    said = []
    import_network(*written, tmp_path / 'out', say=said.append)
    assert len(said) == 1
    assert said[0].startswith('verified on a random image against OpenCV: the maps differ by ')


def test_a_network_that_opencv_does_not_read_is_read_by_darknets_rules(tmp_path):
    body = [conv(8, dilation=2), pool(stride_x=2, stride_y=2, size=3), conv(8), pool()]
    rng = np.random.default_rng(0)
    files = write_random([net(64, 32), *body, *head()], tmp_path / 'net', rng)
    said = []
    import_network(*files, tmp_path / 'out', say=said.append)
    assert "a plain reading by darknet's rules" in said[0]
    export_network(tmp_path / 'out.py', tmp_path / 'out.pth', tmp_path / 'back', say=said.append)
    assert "a plain reading by darknet's rules" in said[1]
    assert (tmp_path / 'back.weights').read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize('network', ['tiny-yolov2-trial3', 'tiny-yolov2-trial3-noBatch'])
def test_the_plain_reading_gives_darknets_own_map(network, shared_dir):
    golden = np.load(shared_dir / f'golden/darknet_forward/{network}.npz')
    source = shared_dir / f'data/darknet/{network}'
    layers = follow(read_cfg(source.with_suffix('.cfg')))
    _, arrays = read_weights(source.with_suffix('.weights'), layers)
    maps = reading.plain_maps(layers, arrays, golden['image'], reading.cpu_deviation)
    np.testing.assert_allclose(maps[-2], golden['raw'], rtol=0, atol=1e-4)


def test_the_plain_reading_of_joints_is_opencvs(tmp_path):
    rng = np.random.default_rng(0)
    body = [
        *(conv(8), pool(), conv(8, groups=4), pool(3), conv(16), section('reorg', stride=2)),
        *(section('upsample', stride=2), route(-1, -3), conv(8)),
    ]
    files = write_random([net(64, 32), *body, *head()], tmp_path / 'net', rng)
    layers = follow(read_cfg(files[0]))
    _, arrays = read_weights(files[1], layers)
    image = rng.random((3, 32, 64), dtype=np.float32)
    maps = reading.plain_maps(layers, arrays, image, reading.cpu_deviation)
    np.testing.assert_allclose(maps[-2], opencv_map(files, image)[0], rtol=0, atol=1e-4)


def test_a_backbone_is_verified_up_to_its_last_layer_with_numbers(written, tmp_path, monkeypatch):
    said = []
    import_backbone(*written, tmp_path / 'out', say=said.append)
    assert said[0].startswith('verified on a random image against OpenCV')
    monkeypatch.setattr(networks, 'max_pool', faulty_pool)
    with pytest.raises(DarknetError, match='differ from those of OpenCV'):
        import_backbone(*written, tmp_path / 'again')
    assert not (tmp_path / 'again.pth').exists()


def test_a_difference_is_a_share_of_the_deviation():
    maps = [np.array([[[0.0, 4.0]]]), np.array([[[0.0, 40.0]]])]
    others = [maps[0], maps[1] + [[[0.0, 0.2]]]]
    # The deviation of 0 and 40.2 is 20.1.
    assert reading.difference(maps, others) == pytest.approx(0.2 / 20.1)
    assert reading.difference(maps, [maps[0], maps[1] * np.nan]) == np.inf
    assert reading.difference(maps[:1], [maps[0][..., :1]]) == np.inf


def test_channels_without_variance_are_darknets_in_the_copy_for_opencv(written):
    layers = follow(read_cfg(written[0]))
    _, arrays = read_weights(written[1], layers)
    arrays[0]['variance'][:] = 0
    image = np.random.default_rng(1).random((3, 32, 64), dtype=np.float32)
    plain = reading.plain_maps(layers, arrays, image, reading.cpu_deviation)[-2]
    (opencvs,), reader = reading.read_maps(layers, arrays, image, [4], reading.cpu_deviation)
    assert reader == 'OpenCV'
    assert reading.difference([opencvs], [plain]) < 1e-4
