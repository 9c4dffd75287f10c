"""Darknet's ``.weights``: a header, then the float32 numbers of each convolution."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .cfg import DarknetError, Layer

Arrays = dict[str, np.ndarray]


class Header(NamedTuple):
    """What a file begins with; ``seen`` has 8 bytes since version 0.2, 4 before."""

    major: int = 0
    minor: int = 2
    revision: int = 0
    seen: int = 0

    @property
    def wide(self) -> bool:
        return self.major * 10 + self.minor >= 2

    def to_bytes(self) -> bytes:
        version = np.array([self.major, self.minor, self.revision], '<i4').tobytes()
        return version + np.array([self.seen], '<u8' if self.wide else '<i4').tobytes()


def parameters(layer: Layer) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a layer's arrays in the order of the file; only convolutions have any.

    ``biases`` are the offsets of the batch normalisation where there is one.
    """
    if layer.kind != 'convolutional':
        return {}
    filters = layer.out_channels
    settings = layer.settings
    normed = settings['batch_normalize']
    names = ['biases', 'scales', 'mean', 'variance'] if normed else ['biases']
    shapes = {name: (filters,) for name in names}
    size, in_channels = settings['size'], layer.in_channels // settings['groups']
    return shapes | {'weights': (filters, in_channels, size, size)}


def read_weights(
    path: str | Path, layers: Sequence[Layer], partial: bool = False
) -> tuple[Header, dict[int, Arrays]]:
    """The arrays by index of the layer.

    Args:
        path: a ``.weights`` file, or of a part of the network such as its first 23 layers.
        layers: of the whole network.
        partial: allow a file that ends behind one of the layers.

    Raises:
        DarknetError: the file is missing, ends within a layer (or early, unless ``partial``), has
            numbers left, or numbers that are not finite: it belongs to another ``.cfg``.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DarknetError(f'{path} cannot be read: {error}') from error
    header, numbers = _split(path, data)
    arrays, position = {}, 0
    for layer in layers:
        shapes = parameters(layer)
        if not shapes:
            continue
        needed = sum(math.prod(shape) for shape in shapes.values())
        if partial and position == len(numbers) and arrays:
            break
        if position + needed > len(numbers):
            raise DarknetError(
                f'{path} is too short: {layer} needs {needed} numbers from {position} on, and the '
                f'file has {len(numbers)} in all. It is truncated or belongs to another .cfg'
            )
        arrays[layer.index] = _shaped(path, layer, shapes, numbers[position : position + needed])
        position += needed
    if position < len(numbers):
        raise DarknetError(
            f'{path} is too long: the layers of the .cfg have {position} numbers, the file '
            f'{len(numbers)}. It belongs to another .cfg'
        )
    return header, arrays


def _shaped(
    path: Path, layer: Layer, shapes: Mapping[str, tuple[int, ...]], numbers: np.ndarray
) -> Arrays:
    """The numbers of a layer, parted by its arrays."""
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
    parts = zip(shapes.items(), np.split(numbers, ends[:-1]), strict=True)
    arrays = {name: part.reshape(shape) for (name, shape), part in parts}
    for name, values in arrays.items():
        if _impossible(name, values):
            raise DarknetError(
                f'{path}: the {name} of {layer} are not finite, or negative where they cannot be. '
                'The file is broken or belongs to another .cfg'
            )
    return {name: values.astype(np.float32) for name, values in arrays.items()}


def _split(path: Path, data: bytes) -> tuple[Header, np.ndarray]:
    """The header, and the float32 numbers behind it."""
    if len(data) < 16:
        raise DarknetError(f'{path} has {len(data)} bytes; the header alone has 16 or 20')
    major, minor, revision = (int(each) for each in np.frombuffer(data, '<i4', 3))
    if not (0 <= major < 1000 and 0 <= minor < 1000):
        raise DarknetError(f'{path} has the version {major}.{minor}; it is no file of darknet')
    header = Header(major, minor, revision)
    end = 20 if header.wide else 16
    if len(data) < end or (len(data) - end) % 4:
        raise DarknetError(f'{path} has {len(data)} bytes, no header and whole float32 numbers')
    (seen,) = np.frombuffer(data[12:end], '<u8' if header.wide else '<i4')
    if not 0 <= seen < 2**63:
        raise DarknetError(f'{path} counts {seen} images; its header is broken')
    return header._replace(seen=int(seen)), np.frombuffer(data, '<f4', offset=end)


def check_arrays(layers: Sequence[Layer], arrays: dict[int, Arrays]) -> None:
    """Every layer has what :func:`read_weights` would take.

    Raises:
        DarknetError: an array is missing, has another shape, or numbers that are not finite.
    """
    for layer in layers:
        for name, shape in parameters(layer).items():
            values = arrays.get(layer.index, {}).get(name)
            if values is None or values.shape != shape:
                found = 'there are none' if values is None else f'they have {values.shape}'
                raise DarknetError(f'the {name} of {layer} must have the shape {shape}; {found}')
            if _impossible(name, values):
                raise DarknetError(f'the {name} of {layer} are not finite, or negative')


def _impossible(name: str, values: np.ndarray) -> bool:
    """Not finite, or negative where nothing can be."""
    return bool(not np.isfinite(values).all() or (name == 'variance' and (values < 0).any()))


def write_weights(
    path: str | Path, header: Header, layers: Sequence[Layer], arrays: dict[int, Arrays]
) -> None:
    """The arrays of all convolutions in darknet's order; errors are those of check_arrays."""
    check_arrays(layers, arrays)
    chunks = [header.to_bytes()]
    for layer in layers:
        for name in parameters(layer):
            chunks.append(np.ascontiguousarray(arrays[layer.index][name], '<f4').tobytes())
    Path(path).write_bytes(b''.join(chunks))
