"""Independent readings of darknet's networks, by which imports and exports verify themselves.

OpenCV's reader where it knows every key of the network, else a plain one by darknet's rules.
Letters: C channels, H, W of a map; one image, no batch.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ..progress import BAR
from .cfg import DarknetError, Layer, Section, write_cfg
from .keys import UNDERSTOOD
from .weights import Arrays, Header, write_weights

# Largest difference of two maps as a share of the deviation of their numbers.
TOLERANCE = 1e-3
# What OpenCV's reader must find in a section, and all that it may find there. Of others it makes
# another layer, without a word.
OPENCV_KEYS = {
    'convolutional': (
        {'filters', 'size', 'stride'},
        {'pad', 'padding', 'groups', 'batch_normalize', 'activation'},
    ),
    'maxpool': ({'size', 'stride'}, {'padding'}),
    'route': ({'layers'}, set()),
    'shortcut': ({'from'}, {'activation'}),
    'reorg': ({'stride'}, set()),
    'upsample': ({'stride'}, set()),
}

Deviation = Callable[[np.ndarray], np.ndarray]


def cpu_deviation(variance: np.ndarray) -> np.ndarray:
    """What pjreddie's darknet divides a channel by on a CPU."""
    return np.sqrt(variance) + 1e-6


def gpu_deviation(variance: np.ndarray) -> np.ndarray:
    """What it divides by on a GPU, and AlexeyAB's on both."""
    return np.sqrt(variance + 1e-5)


def read_maps(
    layers: Sequence[Layer],
    arrays: dict[int, Arrays],
    image: np.ndarray,
    wanted: Sequence[int],
    deviation: Deviation,
) -> tuple[list[np.ndarray], str]:
    """The maps (C, H, W) of the layers of these indices, and who computed them.

    Args:
        layers: of the network, up to the last one that is wanted or beyond.
        arrays: their numbers.
        image: (C, H, W), RGB or grey in [0, 1].
        wanted: indices of layers without batch norm, or of one layer.
        deviation: darknet's rule for batch norm.
    """
    layers = layers[: max(wanted) + 1]
    if hasattr(cv2.dnn, 'readNetFromDarknet') and all(map(_opencv_reads, layers)):
        return _opencv_maps(layers, arrays, image, wanted, deviation), 'OpenCV'
    maps = plain_maps(layers, arrays, image, deviation)
    return [maps[index] for index in wanted], "a plain reading by darknet's rules"


def difference(maps: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> float:
    """The largest difference of two lists of maps, as a share of the deviation of the others.

    Infinite if a map has another shape or numbers that are not finite.
    """
    largest = 0.0
    for ours, theirs in zip(maps, others, strict=True):
        if ours.shape != theirs.shape or not np.isfinite([ours, theirs]).all():
            return np.inf
        largest = max(largest, np.abs(ours - theirs).max() / (theirs.std() or 1))
    return float(largest)


def check(maps: Sequence[np.ndarray], others: Sequence[np.ndarray], reader: str) -> str:
    """A sentence on how well they agree.

    Raises:
        DarknetError: they differ by more than ``TOLERANCE``.
    """
    found = difference(maps, others)
    if not found <= TOLERANCE:
        raise DarknetError(
            f'the maps of a random image differ from those of {reader} by {found:.2g} of their '
            f'deviation (allowed are {TOLERANCE:g}), so nothing was written. --no-verify writes it'
        )
    return (
        f'verified on a random image against {reader}: the maps differ by {found:.1g} of their '
        f'deviation at most'
    )


# --- OpenCV ---------------------------------------------------------------------------------------


def _opencv_reads(layer: Layer) -> bool:
    if layer.kind in ('region', 'yolo'):
        return True
    needed, allowed = OPENCV_KEYS.get(layer.kind, (None, set()))
    keys = {key for key in layer.section.options if key in UNDERSTOOD[layer.kind]}
    return needed is not None and needed <= keys <= needed | allowed


def _opencv_maps(
    layers: Sequence[Layer],
    arrays: dict[int, Arrays],
    image: np.ndarray,
    wanted: Sequence[int],
    deviation: Deviation,
) -> list[np.ndarray]:
    channels, height, width = image.shape
    net = dict(width=width, height=height, channels=channels)
    sections = [Section('net', {key: str(value) for key, value in net.items()})]
    sections += [layer.section for layer in layers]
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, 'net.cfg'), Path(folder, 'net.weights')
        write_cfg(files[0], sections)
        write_weights(files[1], Header(), layers, _without_variances(arrays, deviation))
        network = cv2.dnn.readNetFromDarknet(*map(str, files))
    network.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    network.setInput(image[None])
    if len(wanted) == 1:
        return [network.forward()[0]]
    return [each[0] for each in network.forward([f'conv_{index}' for index in wanted])]


def _without_variances(arrays: dict[int, Arrays], deviation: Deviation) -> dict[int, Arrays]:
    """The same network with variances of 1.

    OpenCV adds a third epsilon to variances; behind scales that are divided already it is nothing.
    """
    plain = {}
    for index, each in arrays.items():
        plain[index] = dict(each)
        if 'variance' in each:
            scales = each['scales'] / deviation(each['variance'].astype(np.float64))
            ones = np.ones_like(each['variance'])
            plain[index] |= dict(scales=scales.astype(np.float32), variance=ones)
    return plain


# --- by darknet's rules ---------------------------------------------------------------------------


def plain_maps(
    layers: Sequence[Layer], arrays: dict[int, Arrays], image: np.ndarray, deviation: Deviation
) -> list[np.ndarray]:
    """The maps (C, H, W) of all layers, in NumPy."""
    maps = []
    for layer in tqdm(layers, "by darknet's rules", unit='layer', **BAR):
        x = maps[-1] if maps else image
        if layer.kind == 'convolutional':
            x = _convolve(x, layer.settings, arrays[layer.index], deviation)
        elif layer.kind == 'maxpool':
            x = _pool(x, layer.settings)
        elif layer.kind == 'route':
            x = np.concatenate([maps[index] for index in layer.sources])
        elif layer.kind == 'shortcut':
            x = sum(maps[index] for index in layer.sources)
        elif layer.kind == 'reorg':
            x = _reorganise(x, layer.settings['stride'])
        elif layer.kind == 'upsample':
            x = x.repeat(layer.settings['stride'], 1).repeat(layer.settings['stride'], 2)
        maps.append(x)
    return maps


def _convolve(x: np.ndarray, settings: dict, arrays: Arrays, deviation: Deviation) -> np.ndarray:
    size, dilation, groups = (settings[key] for key in ('size', 'dilation', 'groups'))
    margin = settings['padding'] * dilation
    x = np.pad(x, ((0, 0), (margin, margin), (margin, margin)))
    reach = dilation * (size - 1) + 1
    windows = _windows(x, reach, settings['stride'])[..., ::dilation, ::dilation]
    weights = np.split(arrays['weights'], groups)
    parts = zip(weights, np.split(windows, groups), strict=True)
    # One place of the kernel after the other, which takes little memory.
    x = np.concatenate(
        [
            sum(
                np.tensordot(weight[..., row, column], part[..., row, column], 1)
                for row in range(size)
                for column in range(size)
            )
            for weight, part in parts
        ]
    )
    if settings['batch_normalize']:
        scales = arrays['scales'] / deviation(arrays['variance'])
        x = (x - arrays['mean'][:, None, None]) * scales[:, None, None]
    x = x + arrays['biases'][:, None, None]
    return np.where(x < 0, 0.1 * x, x) if settings['activation'] == 'leaky' else x


def _pool(x: np.ndarray, settings: dict) -> np.ndarray:
    # The smaller half of the padding comes first.
    before = settings['padding'] // 2
    margins = (before, settings['padding'] - before)
    x = np.pad(x, ((0, 0), margins, margins), constant_values=-np.inf)
    return _windows(x, settings['size'], settings['stride']).max(axis=(-2, -1))


def _windows(x: np.ndarray, size: int, stride: int | tuple[int, int]) -> np.ndarray:
    """(C, H, W) to (C, H', W', size, size)."""
    down, across = (stride, stride) if isinstance(stride, int) else stride
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    return windows[:, ::down, ::across]


def _reorganise(x: np.ndarray, stride: int) -> np.ndarray:
    """Number (k, j, i) is that of a map of C / stride^2 channels at stride times the size."""
    channels, height, width = x.shape
    k, j, i = np.ogrid[:channels, :height, :width]
    few = channels // stride**2
    row, column = divmod(k // few, stride)
    at = (k % few * height * stride + j * stride + row) * width * stride + i * stride + column
    return x.ravel()[at].reshape(channels * stride**2, height // stride, width // stride)
