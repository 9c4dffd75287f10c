"""What surrounds a network in its config, on the way to darknet and back."""

import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer
from mmengine.config import Config
from random_networks import conv, head, net, opencv_map, pool, write_random

from mmdet_lrm.darknet.cfg import DarknetError, read_cfg
from mmdet_lrm.darknet.convert import build
from mmdet_lrm.darknet.files import export_network, import_network

IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
BODY = [conv(8), pool(), conv(8), pool()]


@pytest.fixture
def network(tmp_path):
    """Import a network of these layers and change its config; the files of the result."""

    def make(change=lambda cfg: None, body=BODY, **options):
        rng = np.random.default_rng(0)
        files = write_random([net(64, 32, **options), *body, *head()], tmp_path / 'net', rng)
        import_network(*files, tmp_path / 'in')
        cfg = Config.fromfile(tmp_path / 'in.py')
        change(cfg)
        cfg.dump(tmp_path / 'in.py')
        return tmp_path / 'in.py', tmp_path / 'in.pth'

    return make


def own_map(config, checkpoint, pixels):
    """Of (H, W, C) pixels as a picture has them, BGR or grey, through all of the config's model."""
    model = build(Config.fromfile(config).model).eval()
    model.load_state_dict(torch.load(checkpoint)['state_dict'])
    inputs = torch.from_numpy(pixels.transpose(2, 0, 1).copy())
    data = model.data_preprocessor(dict(inputs=[inputs], data_samples=None))
    with torch.no_grad():
        ((raw,),) = model.bbox_head(model.extract_feat(data['inputs']))
    return raw.numpy()


def share_off(config, checkpoint, exported, channels=3):
    """How far OpenCV's map of the exported files is from the config's, in its deviations."""
    pixels = np.random.default_rng(1).integers(0, 256, (32, 64, channels), dtype=np.uint8)
    ours = own_map(config, checkpoint, pixels)
    image = np.float32(pixels[..., ::-1].transpose(2, 0, 1)) / 255
    return np.abs(opencv_map(exported, image) - ours).max() / ours.std()


def set_preprocessor(**options):
    return lambda cfg: cfg.model.data_preprocessor.update(options)


def unpadded(norm=1):
    return [conv(8, norm=norm, pad=0), conv(8, pad=0, padding=2), pool()]


@pytest.mark.parametrize(
    ('options', 'body'),
    [
        (dict(bgr_to_rgb=False), BODY),
        (dict(std=IMAGENET['std']), BODY),
        (dict(mean=None, std=None), BODY),
        (dict(mean=None, std=None, bgr_to_rgb=False), BODY),
        (dict(mean=[0.0], std=[58.0]), BODY),
        (IMAGENET, unpadded()),
        (IMAGENET | dict(bgr_to_rgb=False), unpadded(norm=0)),
    ],
)
def test_preprocessing_is_folded_into_the_first_layer(network, tmp_path, options, body):
    files = network(set_preprocessor(**options), body)
    exported = export_network(*files, tmp_path / 'out', verify=False)
    assert share_off(*files, exported) < 1e-4


@pytest.mark.parametrize('epsilon', [1e-3, 1e-5, 1e-12])
def test_another_epsilon_is_folded_into_the_variances(network, tmp_path, epsilon):
    def set_epsilon(cfg):
        cfg.model.backbone.norm_cfg.eps = epsilon

    files = network(set_epsilon)
    state = torch.load(files[1])
    # As those of a trained network, of which some are not much above the epsilon.
    for key in [key for key in state['state_dict'] if key.endswith('running_var')]:
        state['state_dict'][key] *= 0.1
    torch.save(state, files[1])
    exported = export_network(*files, tmp_path / 'out', verify=False)
    # OpenCV's own epsilon is 1e-6.
    assert share_off(*files, exported) < 1e-3


def test_variances_below_darknets_epsilon_are_refused(network, tmp_path):
    def set_epsilon(cfg):
        cfg.model.backbone.norm_cfg.eps = 1e-7

    config, checkpoint = network(set_epsilon)
    state = torch.load(checkpoint)
    state['state_dict']['backbone.stages.0.0.bn.running_var'][3] = 1e-6
    torch.save(state, checkpoint)
    with pytest.raises(
        DarknetError, match=r'stages\.0\.0\.bn has eps=1e-07 and a variance of 1e-06'
    ):
        export_network(config, checkpoint, tmp_path / 'out')
    assert not list(tmp_path.glob('out*'))


def replace_in_backbone(key, value):
    def change(cfg):
        # Else the two would merge.
        del cfg.model.backbone[key]
        cfg.model.backbone[key] = value

    return change


def add_step(cfg):
    cfg.test_dataloader.dataset.pipeline.insert(2, dict(type='Pad', size_divisor=32))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (set_preprocessor(**IMAGENET), r'mean is \[123.*\], and layer 0 .* pads'),
        (set_preprocessor(pad_size_divisor=48), r'pad_size_divisor=48 pads an input of 64 x 32'),
        (add_step, r'pipeline of the config has the step Pad, which darknet does not have'),
        (
            lambda cfg: cfg.test_dataloader.dataset.pipeline[0].update(color_type='grayscale'),
            r'layer 0 .* takes images of 3 channels; the test pipeline loads grey ones',
        ),
        (
            lambda cfg: cfg.test_dataloader.dataset.pipeline.pop(1),
            r'must have one Resize or DarknetLetterbox with a scale',
        ),
        (
            lambda cfg: cfg.model.bbox_head.update(bbox_coder=dict(type='DeltaXYWHBBoxCoder')),
            r'bbox_coder is DeltaXYWHBBoxCoder',
        ),
        (
            replace_in_backbone('act_cfg', dict(type='ReLU')),
            r'darknet has no such convolution',
        ),
        (
            replace_in_backbone('norm_cfg', dict(type='GN', num_groups=2)),
            r'darknet has no such convolution',
        ),
    ],
)
def test_what_darknet_cannot_have_is_refused_and_nothing_is_written(
    network, tmp_path, change, message
):
    files = network(change)
    with pytest.raises(DarknetError, match=message):
        export_network(*files, tmp_path / 'out')
    assert not list(tmp_path.glob('out*'))


def test_a_resize_that_keeps_the_ratio_is_warned_of(network, tmp_path):
    files = network(lambda cfg: cfg.test_dataloader.dataset.pipeline[1].update(keep_ratio=True))
    with pytest.warns(UserWarning, match='keeps the ratio of images; darknet stretches them'):
        export_network(*files, tmp_path / 'out')


def test_the_letterbox_goes_out_and_comes_in(network, tmp_path):
    config, checkpoint = network(letter_box=1)
    (resize,) = Config.fromfile(config).test_dataloader.dataset.pipeline[1:2]
    assert (resize.type, tuple(resize.scale)) == ('DarknetLetterbox', (64, 32))
    exported = export_network(config, checkpoint, tmp_path / 'out')
    assert read_cfg(exported[0])[0].options['letter_box'] == '1'


def test_names_go_out_and_thresholds_are_said(network, tmp_path):
    def set_threshold(cfg):
        cfg.model.test_cfg.score_thr = 0.37

    config, checkpoint = network(set_threshold)
    state = torch.load(checkpoint)
    state['meta']['dataset_meta']['classes'] = ('Füchse',)
    torch.save(state, checkpoint)
    said = []
    export_network(config, checkpoint, tmp_path / 'out', say=said.append)
    assert (tmp_path / 'out.names').read_bytes() == 'Füchse\n'.encode()
    assert any('scores from 0.37 on' in each and 'no .cfg holds' in each for each in said)
    state['meta']['dataset_meta']['classes'] = ('a', 'b')
    torch.save(state, checkpoint)
    with pytest.raises(DarknetError, match='names 2 classes, the head has 1'):
        export_network(config, checkpoint, tmp_path / 'again')


@pytest.mark.parametrize('letter_box', [0, 1])
def test_a_grey_network_runs_in_the_inferencer_and_goes_out_again(network, tmp_path, letter_box):
    config, checkpoint = network(channels=1, letter_box=letter_box)
    pixels = np.random.default_rng(2).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    inferencer = DetInferencer(str(config), str(checkpoint), device='cpu', show_progress=False)
    assert len(inferencer(pixels[:24])['predictions']) == 1
    exported = export_network(config, checkpoint, tmp_path / 'out')
    assert read_cfg(exported[0])[0].options['channels'] == '1'
    assert exported[1].read_bytes() == (tmp_path / 'net.weights').read_bytes()
    assert share_off(config, checkpoint, exported, channels=1) < 1e-4


def test_an_input_that_32_does_not_divide_is_not_padded(tmp_path):
    rng = np.random.default_rng(0)
    files = write_random([net(40, 24), *BODY, *head()], tmp_path / 'net', rng)
    import_network(*files, tmp_path / 'in')
    pixels = rng.integers(0, 256, (24, 40, 3), dtype=np.uint8)
    ours = own_map(tmp_path / 'in.py', tmp_path / 'in.pth', pixels)
    image = np.float32(pixels[..., ::-1].transpose(2, 0, 1)) / 255
    np.testing.assert_allclose(ours, opencv_map(files, image), rtol=0, atol=1e-4)
