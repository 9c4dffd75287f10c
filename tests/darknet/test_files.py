"""Darknet's files as such: reading, writing, and what is refused."""

import warnings

import numpy as np
import pytest
import torch
from mmengine.hub import get_config
from random_networks import conv, net, write_random

from mmdet_lrm.darknet.cfg import DarknetError, Section, follow, read_cfg, write_cfg
from mmdet_lrm.darknet.convert import build, detector_config, structure, to_arrays
from mmdet_lrm.darknet.describe import describe, describe_backbone
from mmdet_lrm.darknet.files import import_backbone, import_network, net_options
from mmdet_lrm.darknet.networks import max_pool
from mmdet_lrm.darknet.weights import Header, parameters, read_weights, write_weights

CFG = """# a comment
[net]
width = 64   ; and another
height=32

[convolutional]
batch_normalize=1
filters=4
size=3
stride=1
pad=1
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
filters=12
size=1
stride=1
pad=1
activation=linear

[region]
anchors=1,1, 2,2
classes=1
coords=4
num=2
softmax=1
"""
NUM_NUMBERS = 3 * 4 + 4 + 4 * 3 * 9 + 12 + 12 * 4


@pytest.fixture
def files(tmp_path):
    """The network above, with numbers that count up from 1."""
    cfg, weights = tmp_path / 'net.cfg', tmp_path / 'net.weights'
    cfg.write_text(CFG)
    numbers = np.arange(1, NUM_NUMBERS + 1, dtype='<f4')
    weights.write_bytes(Header(seen=64000).to_bytes() + numbers.tobytes())
    return cfg, weights


def test_sections_and_shapes_are_read(files):
    sections = read_cfg(files[0])
    assert [each.kind for each in sections] == [
        'net',
        'convolutional',
        'maxpool',
        'convolutional',
        'region',
    ]
    assert sections[0].options == {'width': '64', 'height': '32'}
    shapes = [
        (each.in_channels, each.out_channels, each.height, each.width) for each in follow(sections)
    ]
    assert shapes == [(3, 4, 32, 64), (4, 4, 16, 32), (4, 12, 16, 32), (12, 12, 16, 32)]


def test_what_is_written_is_read_again(files, tmp_path):
    sections = read_cfg(files[0])
    write_cfg(tmp_path / 'copy.cfg', sections)
    copy = read_cfg(tmp_path / 'copy.cfg')
    assert [(each.kind, each.options) for each in copy] == [
        (each.kind, each.options) for each in sections
    ]


def test_numbers_are_in_darknets_order(files):
    header, arrays = read_weights(files[1], follow(read_cfg(files[0])))
    assert header == Header(0, 2, 0, 64000)
    assert arrays[0]['biases'].tolist() == [1, 2, 3, 4]
    assert arrays[0]['scales'].tolist() == [5, 6, 7, 8]
    assert arrays[0]['mean'].tolist() == [9, 10, 11, 12]
    assert arrays[0]['variance'].tolist() == [13, 14, 15, 16]
    assert arrays[0]['weights'].shape == (4, 3, 3, 3)
    assert arrays[0]['weights'][0, 0, 0].tolist() == [17, 18, 19]
    assert arrays[2]['biases'][0] == 17 + 108
    assert arrays[2]['weights'].flatten()[-1] == NUM_NUMBERS


@pytest.mark.parametrize(
    ('header', 'length'), [(Header(0, 1, 0, 7), 16), (Header(0, 2, 0, 2**40), 20)]
)
def test_both_headers_survive(files, tmp_path, header, length):
    layers = follow(read_cfg(files[0]))
    _, arrays = read_weights(files[1], layers)
    copy = tmp_path / 'copy.weights'
    write_weights(copy, header, layers, arrays)
    assert copy.stat().st_size == length + 4 * NUM_NUMBERS
    again, others = read_weights(copy, layers)
    assert again == header
    assert all(
        np.array_equal(arrays[i][name], others[i][name]) for i in arrays for name in arrays[i]
    )


def test_a_part_of_a_network_is_read_if_asked_for(files):
    layers = follow(read_cfg(files[0]))
    first = 20 + 4 * (16 + 108)
    files[1].write_bytes(files[1].read_bytes()[:first])
    with pytest.raises(DarknetError, match=r'too short: layer 2 .*line 18.* needs 60 numbers'):
        read_weights(files[1], layers)
    _, arrays = read_weights(files[1], layers, partial=True)
    assert sorted(arrays) == [0]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda data: data[:-4], r'too short: layer 2 \(\[convolutional\] of line 18, 4 to 12'),
        (
            lambda data: data + bytes(8),
            rf'too long: .* have {NUM_NUMBERS} numbers, .* {NUM_NUMBERS + 2}',
        ),
        (lambda data: data + b'x', r'no header and whole float32 numbers'),
        (lambda data: data[:9], r'has 9 bytes; the header alone has 16 or 20'),
        (lambda data: b'PK\x03\x04' * 8 + data, r'is no file of darknet'),
        (lambda data: data[:-4] + b'\x00\x00\xc0\x7f', r'weights of layer 2 .* are not finite'),
    ],
)
def test_broken_weights_are_refused_and_nothing_is_written(files, tmp_path, change, message):
    files[1].write_bytes(change(files[1].read_bytes()))
    with pytest.raises(DarknetError, match=message):
        import_network(*files, tmp_path / 'out')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['net.cfg', 'net.weights']


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('[maxpool]', '[dropout]', r'line 14: \[dropout\] is not supported'),
        ('size=2', 'size 2', r"line 15: 'size 2' is no key=value"),
        ('filters=12', 'filters=13', r'has 13 filters; num \* \(5 \+ classes\) .* is 12'),
        ('filters=4', 'filters=four', r'line 6 has filters=four, which is no integer'),
        ('filters=4', 'groups=2', r'has groups=2 in line 8, which does not divide the channels'),
        ('activation=leaky', 'activation=mish', r'activation mish; supported are leaky and linear'),
        ('[net]', '[region]', r'does not begin with a \[net\] section'),
        ('num=2', 'num=3', r'num=3 and 4 numbers of anchors'),
        ('softmax=1', 'tree=a.tree', r'tree of classes'),
        ('[maxpool]\nsize=2\nstride=2', '[route]\nlayers=-5', r'takes the layers \[-5\]; there'),
    ],
)
def test_a_cfg_that_cannot_be_imported_is_refused(files, tmp_path, old, new, message):
    text = files[0].read_text()
    assert old in text
    files[0].write_text(text.replace(old, new, 1))
    with pytest.raises(DarknetError, match=message):
        import_network(*files, tmp_path / 'out')
    assert not list(tmp_path.glob('out*'))


@pytest.mark.parametrize(
    ('end', 'message'),
    [
        ('[softmax]\n', r'a detector of darknet ends with a convolution and \[region\]'),
        ('[yolo]\nmask=0,1\nanchors=1,1,2,2\nclasses=1\n', 'is not YOLOv3 with Darknet-53'),
        ('', r'ends with layer 2 .*; a detector of darknet ends with'),
    ],
)
def test_a_cfg_with_another_end_is_refused(files, tmp_path, end, message):
    files[0].write_text(CFG[: CFG.index('[region]')] + end)
    with pytest.raises(DarknetError, match=message):
        import_network(*files, tmp_path / 'out')


@pytest.mark.parametrize('kind', ['convolutional', 'maxpool', 'reorg', 'upsample'])
def test_a_stride_of_zero_is_refused_by_name_and_line(tmp_path, kind):
    cfg = tmp_path / 'net.cfg'
    cfg.write_text(f'[net]\nwidth=8\nheight=8\n[{kind}]\nstride=0\n')
    with pytest.raises(DarknetError, match=r'stride=0 in line 5; it must be at least 1'):
        follow(read_cfg(cfg))


@pytest.mark.parametrize('length', [16, 17, 18, 19])
def test_half_a_header_is_refused(tmp_path, length):
    path = tmp_path / 'net.weights'
    path.write_bytes(Header(0, 2, 0, 1).to_bytes()[:length])
    with pytest.raises(DarknetError, match=f'has {length} bytes, no header'):
        read_weights(path, [])


def test_files_that_exist_are_kept_unless_told(files, tmp_path):
    import_network(*files, tmp_path / 'out')
    (tmp_path / 'out.py').write_text('mine')
    with pytest.raises(DarknetError, match=r'exist; name another --out, or give --force'):
        import_network(*files, tmp_path / 'out')
    assert (tmp_path / 'out.py').read_text() == 'mine'
    import_network(*files, tmp_path / 'out', force=True)
    assert 'TinyYOLOV2' in (tmp_path / 'out.py').read_text()


def test_names_must_be_as_many_as_classes(files, tmp_path):
    names = tmp_path / 'my.names'
    names.write_text('cat\ndog\n')
    with pytest.raises(DarknetError, match='has 2 names, the network 1 classes'):
        import_network(*files, tmp_path / 'out', names)
    names.write_text('cat\n')
    import_network(*files, tmp_path / 'out', names)
    checkpoint = torch.load(tmp_path / 'out.pth')
    assert checkpoint['meta']['dataset_meta']['classes'] == ('cat',)


@pytest.mark.parametrize('mark', [b'', b'\xef\xbb\xbf'])
def test_names_are_utf8_with_or_without_a_mark(files, tmp_path, mark):
    names = tmp_path / 'my.names'
    names.write_bytes(mark + 'Käfer\r\n'.encode())
    import_network(*files, tmp_path / 'out', names)
    assert torch.load(tmp_path / 'out.pth')['meta']['dataset_meta']['classes'] == ('Käfer',)


def test_names_in_latin1_are_taken_with_a_word(files, tmp_path):
    names = tmp_path / 'my.names'
    names.write_bytes('Käfer\n'.encode('latin-1'))
    with pytest.warns(UserWarning, match=r'my\.names is not UTF-8: byte 0xe4 at offset 1; it was'):
        import_network(*files, tmp_path / 'out', names)
    assert torch.load(tmp_path / 'out.pth')['meta']['dataset_meta']['classes'] == ('Käfer',)
    names.write_bytes('cat\n'.encode('utf-16'))
    with pytest.raises(DarknetError, match='begins with the mark of UTF-16'):
        import_network(*files, tmp_path / 'again', names)


@pytest.mark.parametrize(
    ('mark', 'encoding'), [(b'', 'utf-8'), (b'\xef\xbb\xbf', 'utf-8'), (b'', 'gbk')]
)
def test_comments_of_any_encoding_do_not_matter(files, mark, encoding):
    plain = [(each.kind, each.options) for each in read_cfg(files[0])]
    # The second byte of the one is what ends a line in Latin-1, of the other a bracket.
    comment = '# ' + b'\xb0\x85 \xc0\x5b'.decode('gbk')
    files[0].write_bytes(mark + f'{comment}\r\n{CFG}'.encode(encoding))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore' if encoding == 'gbk' else 'error')
        assert [(each.kind, each.options) for each in read_cfg(files[0])] == plain


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('[convolutional]', '[convolutional]\nchannels=1', 'channels=1, which is not understood'),
        ('height=32', 'height=32\nchannels=4', r'channels=4 in line 5; images of 1 channel'),
        ('height=32', 'height=0', r'height=0 in line 4; it must be at least 1'),
        ('size=1\n', 'size=1\npadding=1\n#', r'no 1x1 convolution of stride 1 without padding'),
        ('anchors=1,1, 2,2', 'anchors=1,1,2', r'must have anchors in pairs of positive numbers'),
        ('stride=2', 'stride_x=4', r'needs the same stride down and across'),
    ],
)
def test_what_a_detector_cannot_have_is_refused(files, tmp_path, old, new, message):
    files[0].write_text(
        CFG.replace(old, new, 1).replace('pad=1\nactivation=linear', 'activation=linear')
    )
    with pytest.raises(DarknetError, match=message):
        import_network(*files, tmp_path / 'out')
    assert not list(tmp_path.glob('out*'))


def test_a_plain_stack_becomes_tiny_yolov2(files):
    sections = read_cfg(files[0])
    model = detector_config(sections, follow(sections))
    # Its last layer but one has no batch norm, so the body is the first convolution and the pool.
    assert model['backbone']['type'] == 'TinyYOLOV2'
    assert model['backbone']['channels'] == (4,)
    assert model['bbox_head']['anchor_generator']['base_sizes'] == [[(2.0, 2.0), (4.0, 4.0)]]


def test_yolov3_is_recognised_by_its_own_description(tmp_path):
    model = get_config('mmdet::yolo/yolov3_d53_8xb8-ms-416-273e_coco.py').model.to_dict()
    model['backbone']['init_cfg'] = None
    described = describe(build(model))
    net = Section('net', {k: str(v) for k, v in net_options(64, 64).items()})
    sections = [net, *(each.section for each in described)]
    write_cfg(tmp_path / 'yolov3.cfg', sections)
    sections = read_cfg(tmp_path / 'yolov3.cfg')
    layers = follow(sections)
    # yolov3.cfg has 107 layers, 75 of them convolutions, and yolov3.weights 62,001,757 numbers.
    assert len(layers) == 107
    assert sum(layer.kind == 'convolutional' for layer in layers) == 75
    numbers = sum(int(np.prod(shape)) for layer in layers for shape in parameters(layer).values())
    assert numbers == 62_001_757
    imported = detector_config(sections, layers)
    assert (
        imported['bbox_head']['anchor_generator']['base_sizes']
        == (model['bbox_head']['anchor_generator']['base_sizes'])
    )
    assert structure(layers) == structure(follow(sections))


def test_the_first_layers_of_darknet19_become_a_backbone(tmp_path):
    backbone = build(dict(type='Darknet19'))
    backbone.init_weights()
    detector = build(
        dict(
            type='SingleStageDetector',
            backbone=dict(type='Darknet19'),
            neck=dict(type='PassthroughNeck'),
            bbox_head=dict(type='YOLOV2Head', num_classes=20, in_channels=1024),
        )
    )
    described = describe(detector)
    net = Section('net', {k: str(v) for k, v in net_options(64, 64).items()})
    sections = [net, *(each.section for each in described)]
    write_cfg(tmp_path / 'net.cfg', sections)
    layers = follow(sections)
    first = layers[:23]  # of darknet19_448.conv.23
    assert sum(layer.kind == 'convolutional' for layer in first) == 18
    state = {f'backbone.{key}': value for key, value in backbone.state_dict().items()}
    state = detector.state_dict() | state
    write_weights(tmp_path / 'part.23', Header(0, 1, 0, 5), first, to_arrays(described, state))
    (file,) = import_backbone(tmp_path / 'net.cfg', tmp_path / 'part.23', tmp_path / 'out')
    imported = torch.load(file)['state_dict']
    for key, value in backbone.state_dict().items():
        if not key.endswith('num_batches_tracked'):
            assert torch.equal(imported[f'backbone.{key}'], value), key
    assert not [key for key in imported if not key.startswith('backbone.')]
    with pytest.raises(DarknetError, match='too short: layer 23 '):
        import_network(tmp_path / 'net.cfg', tmp_path / 'part.23', tmp_path / 'whole')


@pytest.mark.parametrize(
    ('backbone_type', 'kind', 'key', 'value'),
    [
        ('Darknet19', 'maxpool', 'size', '3'),
        ('Darknet19', 'convolutional', 'activation', 'linear'),
        ('Darknet19', 'net', 'channels', '1'),
        ('Darknet', 'shortcut', 'from', '-6'),
    ],
)
def test_a_classifier_is_matched_by_all_of_its_layers(tmp_path, backbone_type, kind, key, value):
    backbone = build(dict(type=backbone_type))
    body = [each.section for each in describe_backbone(backbone)[0]]
    sections = [net(64, 64), *body, conv(9, 1, 0, 'linear'), Section('avgpool'), Section('softmax')]
    files = write_random(sections, tmp_path / 'net', np.random.default_rng(0))
    (file,) = import_backbone(*files, tmp_path / 'out')
    state = torch.load(file)['state_dict']
    state = {name.removeprefix('backbone.'): values for name, values in state.items()}
    missing = backbone.load_state_dict(state, strict=False).missing_keys
    assert missing == []

    [each for each in [sections[0], *body] if each.kind == kind][-1].options[key] = value
    write_random(sections, tmp_path / 'net', np.random.default_rng(0))
    with pytest.raises(DarknetError, match='neither a detector nor the classifier'):
        import_backbone(*files, tmp_path / 'again')
    assert not (tmp_path / 'again.pth').exists()


def test_max_pooling_pads_as_darknet():
    x = torch.arange(1.0, 6).view(1, 1, 1, 5).expand(1, 1, 5, 5)
    # Size 2: the window at the right border is cut. Size 3: the first window begins one before.
    assert max_pool(x, 2, 2, 1)[0, 0, 0].tolist() == [2, 4, 5]
    assert max_pool(x, 2, 1, 1)[0, 0, 0].tolist() == [2, 3, 4, 5, 5]
    assert max_pool(x, 3, 2, 2)[0, 0, 0].tolist() == [2, 4, 5]
