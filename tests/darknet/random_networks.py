"""Networks of darknet to test with: their sections by hand or at random, and random numbers."""

import cv2
import numpy as np

from mmdet_lrm.darknet.cfg import DarknetError, Section, follow, write_cfg
from mmdet_lrm.darknet.files import net_options
from mmdet_lrm.darknet.weights import Header, parameters, write_weights


def section(kind, **options):
    return Section(kind, {key: str(value) for key, value in options.items()})


def net(width, height, **options):
    return section('net', **net_options(width, height) | options)


def conv(filters, size=3, norm=1, activation='leaky', stride=1, **options):
    given = dict(batch_normalize=norm, filters=filters, size=size, stride=stride, pad=1)
    return section('convolutional', **given | dict(activation=activation) | options)


def pool(size=2, stride=2, **options):
    return section('maxpool', size=size, stride=stride, **options)


def route(*layers):
    return section('route', layers=','.join(map(str, layers)))


def shortcut(layer):
    return section('shortcut', activation='linear', **{'from': layer})


def region(num, classes):
    anchors = ', '.join(f'{1 + 0.5 * index:g}' for index in range(2 * num))
    options = dict(anchors=anchors, classes=classes, coords=4, num=num, softmax=1, thresh=0.6)
    return section('region', **options)


def head(num=2, classes=1):
    return [conv(num * (5 + classes), 1, 0, 'linear'), region(num, classes)]


def write_random(sections, name, rng):
    """``.cfg`` and ``.weights`` with numbers that keep the maps near 1."""
    layers = follow(sections)
    arrays = {}
    for layer in layers:
        arrays[layer.index] = {}
        for kind, shape in parameters(layer).items():
            values = rng.standard_normal(shape).astype(np.float32)
            if kind in ('scales', 'variance'):
                values = np.abs(values) * 0.2 + 0.8
            elif kind == 'weights':
                values /= np.sqrt(np.prod(shape[1:]) / 2)
            else:
                values *= 0.2
            arrays[layer.index][kind] = values
    files = name.with_suffix('.cfg'), name.with_suffix('.weights')
    write_cfg(files[0], sections)
    write_weights(files[1], Header(seen=123456789012), layers, arrays)
    return files


def opencv_map(files, image, layer=None):
    """The map before the detection layer by OpenCV."""
    net = cv2.dnn.readNetFromDarknet(*map(str, files))
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.setInput(image[None])
    names = net.getLayerNames()
    return net.forward(layer or [name for name in names if name.startswith('conv_')][-1])


def random_sections(rng):
    """Sections of a random network that a detector can be made of.

    Layers are drawn until the input is a whole multiple of the last map.
    """
    while True:
        size = (rng.integers(2, 9, 2) * 8).tolist()
        sections = [net(*size), *_random_body(rng), *head()]
        try:
            layers = follow(sections)
        except DarknetError:
            continue
        last = layers[-1]
        strides = {size[0] / last.width, size[1] / last.height}
        if len(strides) == 1 and strides.pop().is_integer():
            return sections


def _random_body(rng):
    """Mostly convolutions and poolings, some joints; the numbers need not fit together."""
    plain = rng.random() < 0.4  # what TinyYOLOV2 may be
    body = [_random_conv(rng, plain, groups=False)]
    for _ in range(rng.integers(2, 8)):
        kind = rng.choice(['conv', 'pool', 'route', 'shortcut', 'reorg', 'upsample'], p=SHARES)
        if kind == 'conv' or (plain and kind != 'pool'):
            body.append(_random_conv(rng, plain))
        elif kind == 'pool':
            padding = {} if rng.random() < 0.6 else dict(padding=rng.integers(0, 4))
            body.append(pool(rng.integers(1, 6), rng.integers(1, 4), **padding))
        elif kind == 'route':
            body.append(route(-1, -rng.integers(1, len(body) + 1)))
        elif kind == 'shortcut':
            filters = 4 * rng.integers(1, 4)
            body += [conv(filters), conv(8, 1), conv(filters), shortcut(-3)]
        else:
            body.append(section(kind, stride=rng.integers(1, 3)))
    return body


SHARES = [0.4, 0.25, 0.1, 0.1, 0.08, 0.07]


def _random_conv(rng, plain, groups=True):
    options = dict(norm=int(plain or rng.random() < 0.5))
    if not plain:
        options |= dict(
            stride=rng.integers(1, 3),
            activation=rng.choice(['leaky', 'linear']),
            pad=rng.integers(0, 2),
            padding=rng.integers(0, 4),
        )
        if groups and rng.random() < 0.3:
            options |= dict(groups=2)
    return conv(4 * rng.integers(1, 4), rng.choice([1, 2, 3, 5]), **options)
