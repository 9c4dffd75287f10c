"""What may stand in a ``.cfg``, and what is refused by its name and line."""

import pytest

from mmdet_lrm.darknet.cfg import DarknetError, follow, read_cfg
from mmdet_lrm.darknet.files import import_network

CFG = """[net]
width=32
height=32
[convolutional]
filters=4
size=3
activation=leaky
[maxpool]
size=2
[route]
layers=-1
[upsample]
stride=2
[reorg]
stride=2
[shortcut]
from=-1
[convolutional]
filters=18
activation=linear
[yolo]
mask=0
anchors=1,1
classes=13
[region]
anchors=1,1
classes=13
num=1
"""


def with_key(kind, line):
    """The text with a line behind the first ``[kind]``, and the number of that line."""
    text = CFG.replace(f'[{kind}]\n', f'[{kind}]\n{line}\n', 1)
    return text, text.split('\n').index(line) + 1


@pytest.mark.parametrize(
    ('kind', 'line'),
    [
        ('convolutional', 'xnor=1'),
        ('convolutional', 'binary=1'),
        ('convolutional', 'flipped=1'),
        ('convolutional', 'antialiasing=1'),
        ('convolutional', 'dontload=1'),
        ('convolutional', 'share_index=2'),
        ('convolutional', 'strides=2'),
        ('maxpool', 'maxpool_depth=1'),
        ('maxpool', 'dilation=2'),
        ('route', 'groups=2'),
        ('upsample', 'scale=.5'),
        ('reorg', 'reverse=1'),
        ('shortcut', 'weights_type=per_feature'),
        ('shortcut', 'alpha=.5'),
        ('yolo', 'new_coords=1'),
        ('yolo', 'nms_kind=diounms'),
        ('region', 'scale_x_y=1.1'),
        ('region', 'classfix=1'),
        ('net', 'time_steps=3'),
        ('net', 'inputs=100'),
    ],
)
def test_a_key_that_may_change_the_network_is_refused_by_name_and_line(tmp_path, kind, line):
    text, number = with_key(kind, line)
    (tmp_path / 'net.cfg').write_text(text)
    with pytest.raises(DarknetError, match=rf'net\.cfg, line {number}: \[{kind}\] has {line}, '):
        read_cfg(tmp_path / 'net.cfg')


@pytest.mark.parametrize(
    ('kind', 'line'),
    [
        ('convolutional', 'xnor=0'),
        ('convolutional', 'dilation=1'),
        ('convolutional', 'stopbackward=1'),
        ('maxpool', 'maxpool_depth=0'),
        ('route', 'groups=1'),
        ('upsample', 'scale=1.0'),
        ('yolo', 'new_coords=0'),
        ('yolo', 'nms_kind=greedynms'),
        ('yolo', 'iou_loss=ciou'),
        ('region', 'bias_match=1'),
        ('net', 'mosaic=1'),
        ('net', 'momentum=0.9 # as ever'),
    ],
)
def test_a_key_that_changes_nothing_is_taken(tmp_path, kind, line):
    (tmp_path / 'net.cfg').write_text(with_key(kind, line)[0])
    assert len(read_cfg(tmp_path / 'net.cfg')) == 10


def test_two_values_of_one_key_are_refused_for_readers_differ_in_which_they_take(tmp_path):
    text, number = with_key('maxpool', 'stride=2')
    (tmp_path / 'net.cfg').write_text(text.replace('stride=2', 'stride=2\nstride=1', 1))
    with pytest.raises(DarknetError, match=rf'line {number + 1}: .* and stride=2 in line {number}'):
        read_cfg(tmp_path / 'net.cfg')
    # Of training, the testing and training values may both stand there.
    (tmp_path / 'net.cfg').write_text(CFG.replace('[net]', '[net]\nbatch=1\nbatch=64'))
    read_cfg(tmp_path / 'net.cfg')


def layers_of(tmp_path, *lines):
    (tmp_path / 'net.cfg').write_text('\n'.join(['[net]\nwidth=32\nheight=24', *lines]))
    return follow(read_cfg(tmp_path / 'net.cfg'))


CONV = '[convolutional]\nfilters=4\nactivation=leaky'


def test_strides_across_and_down_are_taken_apart(tmp_path):
    lines = ['stride_x=4', 'size=3', 'pad=1', '[maxpool]', 'size=2', 'stride=1', 'stride_y=2']
    first, second = layers_of(tmp_path, CONV, *lines)
    assert (first.height, first.width) == (24, 8)
    assert (second.height, second.width) == (12, 8)


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        (['dilation=2', 'size=3'], 'dilation=2 in line 7; darknet computes it for odd sizes'),
        (['padding=-1', 'size=3'], 'padding=-1 in line 7; it must be at least 0'),
        (['[maxpool]', 'size=2', 'padding=3'], 'padding=3 in line 9; .* must lie in 0 to 2'),
        (['[convolutional]', 'filters=2', 'activation=leaky', '[shortcut]', 'from=-2'], '2 and 4'),
    ],
)
def test_a_layer_that_cannot_be_computed_is_refused(tmp_path, lines, message):
    with pytest.raises(DarknetError, match=message):
        layers_of(tmp_path, CONV, *lines)


def test_nothing_is_written_for_a_refused_key(tmp_path):
    (tmp_path / 'net.cfg').write_text(with_key('convolutional', 'xnor=1')[0])
    with pytest.raises(DarknetError, match='xnor'):
        import_network(tmp_path / 'net.cfg', tmp_path / 'none', tmp_path / 'out')
    assert [each.name for each in tmp_path.iterdir()] == ['net.cfg']
