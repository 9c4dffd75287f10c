"""Darknet's ``.cfg``: read it, write it, and follow the shapes through its layers."""

from dataclasses import dataclass, field
from pathlib import Path

# What each kind of layer may be told here; darknet ignores what it does not know, so does this.
KINDS = {
    'net': 'net',
    'network': 'net',
    'convolutional': 'convolutional',
    'conv': 'convolutional',
    'maxpool': 'maxpool',
    'max': 'maxpool',
    'route': 'route',
    'reorg': 'reorg',
    'region': 'region',
    'yolo': 'yolo',
    'upsample': 'upsample',
    'shortcut': 'shortcut',
    'avgpool': 'avgpool',
    'avg': 'avgpool',
    'softmax': 'softmax',
    'soft': 'softmax',
    'cost': 'cost',
}
ACTIVATIONS = ('leaky', 'linear')


class DarknetError(ValueError):
    """A file that cannot be read, converted or written; the message says where and why."""


@dataclass
class Section:
    """``[kind]`` and its ``key=value`` lines."""

    kind: str
    options: dict[str, str] = field(default_factory=dict)
    line: int = 0
    """In the file, 0 if it comes from none."""

    def integer(self, key: str, default: int | None = None) -> int:
        return self._number(key, default, int)

    def number(self, key: str, default: float | None = None) -> float:
        return self._number(key, default, float)

    def integers(self, key: str) -> list[int]:
        return self._list(key, int)

    def numbers(self, key: str) -> list[float]:
        return self._list(key, float)

    def _number(self, key, default, kind):
        if key not in self.options:
            if default is None:
                raise DarknetError(f'{self} has no {key}')
            return default
        return self._convert(key, self.options[key], kind)

    def _list(self, key, kind):
        text = self.options.get(key, '')
        return [self._convert(key, each, kind) for each in text.split(',') if each.strip()]

    def _convert(self, key, text, kind):
        try:
            return kind(text.strip())
        except ValueError:
            raise DarknetError(
                f'{self} has {key}={text}, which is no {"integer" if kind is int else "number"}'
            ) from None

    def __str__(self) -> str:
        return f'[{self.kind}] of line {self.line}' if self.line else f'[{self.kind}]'


@dataclass
class Layer:
    """A layer with the shapes of its maps; the first behind ``[net]`` has the index 0."""

    index: int
    section: Section
    in_channels: int
    out_channels: int
    height: int
    width: int
    """Of the map that it gives."""
    sources: tuple[int, ...]
    """Indices of the layers whose maps it takes, -1 for the image."""

    @property
    def kind(self) -> str:
        return self.section.kind

    @property
    def batch_normalize(self) -> bool:
        return self.section.integer('batch_normalize', 0) != 0

    @property
    def size(self) -> int:
        return self.section.integer('size', 1)

    @property
    def stride(self) -> int:
        return self.section.integer('stride', 1)

    @property
    def activation(self) -> str:
        return self.section.options.get('activation', 'logistic')

    @property
    def padding(self) -> int:
        if self.section.integer('pad', 0):
            return self.size // 2
        return self.section.integer('padding', 0)

    def __str__(self) -> str:
        shape = f'{self.in_channels} to {self.out_channels} channels'
        if self.kind == 'convolutional':
            shape += f', {self.size}x{self.size}'
        return f'layer {self.index} ({self.section}, {shape})'


def read_cfg(path: str | Path) -> list[Section]:
    """The sections of a ``.cfg``, ``[net]`` first.

    Raises:
        DarknetError: the file is missing, is no such text, or has an unknown section.
    """
    path = Path(path)
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DarknetError(f'{path} cannot be read as a .cfg: {error}') from error
    sections = []
    for number, line in enumerate(lines, start=1):
        line = line.split('#')[0].split(';')[0].strip()
        if not line:
            continue
        if line.startswith('['):
            name = line.strip('[] \t').lower()
            if name not in KINDS:
                raise DarknetError(
                    f'{path}, line {number}: [{name}] is not supported; known are '
                    f'{", ".join(sorted(set(KINDS.values())))}'
                )
            sections.append(Section(KINDS[name], line=number))
        elif '=' not in line or not sections:
            raise DarknetError(f"{path}, line {number}: '{line}' is no key=value within a section")
        else:
            key, value = line.split('=', 1)
            sections[-1].options[key.strip()] = value.strip()
    if not sections or sections[0].kind != 'net':
        raise DarknetError(f'{path} does not begin with a [net] section; it is no .cfg of darknet')
    return sections


def write_cfg(path: str | Path, sections: list[Section]) -> None:
    """The sections as darknet reads them."""
    blocks = []
    for section in sections:
        lines = [f'[{section.kind}]', *(f'{k}={v}' for k, v in section.options.items())]
        blocks.append('\n'.join(lines) + '\n')
    Path(path).write_text('\n'.join(blocks))


def follow(sections: list[Section]) -> list[Layer]:
    """The layers behind ``[net]`` with their shapes.

    Raises:
        DarknetError: an option is missing or out of range, or maps do not fit together.
    """
    net, *rest = sections
    channels, height, width = (
        net.integer('channels', 3),
        net.integer('height'),
        net.integer('width'),
    )
    layers = []
    for index, section in enumerate(rest):
        sources = _sources(section, index)
        maps = [layers[each] for each in sources if each >= 0]
        in_channels = sum(each.out_channels for each in maps) if maps else channels
        in_height, in_width = (maps[0].height, maps[0].width) if maps else (height, width)
        layer = Layer(index, section, in_channels, in_channels, in_height, in_width, sources)
        if any((each.height, each.width) != (in_height, in_width) for each in maps):
            sizes = ', '.join(f'{each.height} x {each.width}' for each in maps)
            raise DarknetError(f'{layer} joins maps of different sizes: {sizes}')
        _apply(layer)
        if layer.height < 1 or layer.width < 1:
            raise DarknetError(f'{layer} leaves a map without pixels; enlarge the input')
        layers.append(layer)
    return layers


def _sources(section: Section, index: int) -> tuple[int, ...]:
    if section.kind == 'route':
        given = section.integers('layers')
    elif section.kind == 'shortcut':
        given = [-1, section.integer('from')]
    else:
        return (index - 1,)
    sources = tuple(index + each if each < 0 else each for each in given)
    if not sources or any(not 0 <= each < index for each in sources):
        raise DarknetError(
            f'layer {index} ({section}) takes the layers {given}; there are {index} before it'
        )
    return sources


def _apply(layer: Layer) -> None:
    """Set what the layer makes of its input."""
    section = layer.section
    if layer.kind == 'convolutional':
        if section.integer('groups', 1) != 1:
            raise DarknetError(f'{layer} has groups, which are not supported')
        if layer.activation not in ACTIVATIONS:
            raise DarknetError(
                f'{layer} has the activation {layer.activation}; supported are '
                f'{" and ".join(ACTIVATIONS)}'
            )
        layer.out_channels = section.integer('filters')
        if layer.out_channels < 1 or layer.size < 1 or layer.stride < 1:
            raise DarknetError(f'{layer} has filters, size or stride below 1')
        layer.height = (layer.height + 2 * layer.padding - layer.size) // layer.stride + 1
        layer.width = (layer.width + 2 * layer.padding - layer.size) // layer.stride + 1
    elif layer.kind == 'maxpool':
        size = section.integer('size', layer.stride)
        padding = section.integer('padding', size - 1)
        layer.height = (layer.height + padding - size) // layer.stride + 1
        layer.width = (layer.width + padding - size) // layer.stride + 1
    elif layer.kind == 'reorg':
        stride = layer.stride
        if layer.height % stride or layer.width % stride or layer.in_channels % stride**2:
            raise DarknetError(
                f'{layer} with stride {stride} does not divide its map of {layer.height} x '
                f'{layer.width}'
            )
        layer.out_channels = layer.in_channels * stride**2
        layer.height //= stride
        layer.width //= stride
    elif layer.kind == 'upsample':
        stride = section.integer('stride', 2)
        layer.height *= stride
        layer.width *= stride
    elif layer.kind == 'shortcut':
        layer.in_channels //= 2
        layer.out_channels = layer.in_channels
        if section.options.get('activation', 'linear') != 'linear':
            raise DarknetError(f'{layer} has an activation, which is not supported')
    elif layer.kind == 'avgpool':
        layer.height = layer.width = 1
