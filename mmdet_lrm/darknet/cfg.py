"""Darknet's ``.cfg``: read it, write it, and follow the shapes through its layers."""

from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UserError
from ..reading.text import TextError, read_text
from .keys import fault, is_understood

# Both spellings of each section, and the one that it has here.
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
BEGIN = 'does not begin with a [net] section; it is no .cfg of darknet'
ACTIVATIONS = ('leaky', 'linear')


class DarknetError(UserError):
    """A file that cannot be read, converted or written; the message says where and why."""


@dataclass
class Section:
    """``[kind]`` and its ``key=value`` lines."""

    kind: str
    options: dict[str, str] = field(default_factory=dict)
    line: int = 0
    """In the file, 0 if it comes from none."""
    lines: dict[str, int] = field(default_factory=dict)
    """Of each key in the file."""

    def at(self, key: str) -> str:
        """The section, the key and its value, and the line of the file where they stand."""
        where = f' in line {self.lines[key]}' if key in self.lines else ''
        return f'{self} has {key}={self.options[key]}{where}'

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
    settings: dict = field(default_factory=dict)
    """All that its section says of its computation, with darknet's defaults filled in."""

    @property
    def kind(self) -> str:
        return self.section.kind

    def __str__(self) -> str:
        shape = f'{self.in_channels} to {self.out_channels} channels'
        if 'size' in self.settings:
            shape += f', {self.settings["size"]}x{self.settings["size"]}'
        return f'layer {self.index} ({self.section}, {shape})'


def read_cfg(path: str | Path) -> list[Section]:
    """The sections of a ``.cfg``, ``[net]`` first.

    Raises:
        DarknetError: the file is missing, is no such text, has an unknown section, or a key that
            is not known to leave the network as it is (:mod:`mmdet_lrm.darknet.keys`).
    """
    path = Path(path)
    try:
        # What is not UTF-8 can only be a comment, or it is refused as a key.
        text = read_text(path, fallback='latin-1')
    except (OSError, TextError) as error:
        raise DarknetError(f'{path} cannot be read as a .cfg: {error}') from error
    sections = []
    for number, line in enumerate(text.split('\n'), start=1):
        line = line.split('#')[0].split(';')[0].strip()
        if not line:
            continue
        try:
            _read_line(line, number, sections)
        except DarknetError as error:
            raise DarknetError(f'{path}, line {number}: {error}') from None
    if not sections:
        raise DarknetError(f'{path} {BEGIN}')
    return sections


def _read_line(line: str, number: int, sections: list[Section]) -> None:
    """Begin a section, or add a key to the last one."""
    if line.startswith('['):
        name = line.strip('[] \t').lower()
        if name not in KINDS:
            known = ', '.join(sorted(set(KINDS.values())))
            raise DarknetError(f'[{name}] is not supported; known are {known}')
        if not sections and KINDS[name] != 'net':
            raise DarknetError(BEGIN)
        sections.append(Section(KINDS[name], line=number))
        return
    key, equals, value = (each.strip() for each in line.partition('='))
    if not equals or not sections:
        raise DarknetError(f"'{line}' is no key=value within a section")
    section = sections[-1]
    why = fault(section.kind, key, value)
    if why:
        raise DarknetError(f'[{section.kind}] has {key}={value}, {why}')
    # Darknet takes the first of two, other readers the last.
    if is_understood(section.kind, key) and section.options.get(key, value) != value:
        raise DarknetError(
            f'[{section.kind}] has {key}={value}, and {key}={section.options[key]} in line '
            f'{section.lines[key]}; keep one of them'
        )
    section.options[key] = value
    section.lines[key] = number


def write_cfg(path: str | Path, sections: list[Section]) -> None:
    """The sections as darknet reads them."""
    blocks = []
    for section in sections:
        lines = [f'[{section.kind}]', *(f'{k}={v}' for k, v in section.options.items())]
        blocks.append('\n'.join(lines) + '\n')
    Path(path).write_text('\n'.join(blocks), encoding='utf-8')


def follow(sections: list[Section]) -> list[Layer]:
    """The layers behind ``[net]`` with their shapes.

    Raises:
        DarknetError: an option is missing or out of range, or maps do not fit together.
    """
    net, *rest = sections
    channels, height, width = input_shape(net)
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
        if section.kind == 'shortcut' and len({each.out_channels for each in maps}) != 1:
            channels_of = ' and '.join(str(each.out_channels) for each in maps)
            raise DarknetError(f'{layer} adds maps of {channels_of} channels; they must be equal')
        FOLLOWERS.get(section.kind, lambda layer: None)(layer)
        if layer.height < 1 or layer.width < 1:
            raise DarknetError(f'{layer} leaves a map without pixels; enlarge the input')
        layers.append(layer)
    return layers


def input_shape(net: Section) -> tuple[int, int, int]:
    """Channels, height and width of the image.

    Raises:
        DarknetError: a network takes images of 1 or 3 channels and at least a pixel.
    """
    channels = net.integer('channels', 3)
    if channels not in (1, 3):
        raise DarknetError(
            f'{net.at("channels")}; images of 1 channel (grey) or 3 (colours) can be loaded'
        )
    for key in ('height', 'width'):
        if net.integer(key) < 1:
            raise DarknetError(f'{net.at(key)}; it must be at least 1')
    return channels, net.integer('height'), net.integer('width')


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


# --- what each kind of layer makes of its input ---------------------------------------------------


def _follow_convolution(layer: Layer) -> None:
    section = layer.section
    size, (stride_y, stride_x) = _positive(layer, 'size', 1), _strides(layer)
    groups = _positive(layer, 'groups', 1)
    if layer.in_channels % groups or section.integer('filters', groups) % groups:
        raise DarknetError(f'{section.at("groups")}, which does not divide the channels of {layer}')
    filters = _positive(layer, 'filters')
    padding = size // 2 if section.integer('pad', 0) else section.integer('padding', 0)
    dilation = _positive(layer, 'dilation', 1) if size > 1 else 1
    activation = section.options.get('activation', 'logistic')
    if activation not in ACTIVATIONS:
        raise DarknetError(
            f'{layer} has the activation {activation}; supported are {" and ".join(ACTIVATIONS)}'
        )
    if padding < 0:
        raise DarknetError(f'{section.at("padding")}; it must be at least 0')
    if dilation > 1 and 2 * padding != size - 1:
        raise DarknetError(
            f'{section.at("dilation")}; darknet computes it for odd sizes with pad=1 only'
        )
    layer.settings = dict(
        size=size,
        stride=stride_y if stride_y == stride_x else (stride_y, stride_x),
        padding=padding,
        dilation=dilation,
        groups=groups,
        batch_normalize=section.integer('batch_normalize', 0) != 0,
        activation=activation,
    )
    layer.out_channels = filters
    layer.height = (layer.height + 2 * padding - size) // stride_y + 1
    layer.width = (layer.width + 2 * padding - size) // stride_x + 1


def _follow_maxpool(layer: Layer) -> None:
    stride_y, stride_x = _strides(layer)
    size = _positive(layer, 'size', _positive(layer, 'stride', 1))
    padding = layer.section.integer('padding', size - 1)
    if not 0 <= padding < 2 * size - 1:
        raise DarknetError(
            f'{layer.section.at("padding")}; with size={size} it must lie in 0 to {2 * size - 2}, '
            f'or windows have no pixel in them'
        )
    layer.settings = dict(
        size=size,
        stride=stride_y if stride_y == stride_x else (stride_y, stride_x),
        padding=padding,
    )
    layer.height = (layer.height + padding - size) // stride_y + 1
    layer.width = (layer.width + padding - size) // stride_x + 1


def _follow_reorg(layer: Layer) -> None:
    stride = _positive(layer, 'stride', 1)
    if layer.height % stride or layer.width % stride or layer.in_channels % stride**2:
        raise DarknetError(
            f'{layer} with stride {stride} does not divide its map of {layer.height} x '
            f'{layer.width}'
        )
    layer.settings = dict(stride=stride)
    layer.out_channels = layer.in_channels * stride**2
    layer.height //= stride
    layer.width //= stride


def _follow_upsample(layer: Layer) -> None:
    stride = _positive(layer, 'stride', 2)
    layer.settings = dict(stride=stride)
    layer.height *= stride
    layer.width *= stride


def _follow_shortcut(layer: Layer) -> None:
    layer.in_channels //= 2
    layer.out_channels = layer.in_channels
    if layer.section.options.get('activation', 'linear') != 'linear':
        raise DarknetError(f'{layer} has an activation, which is not supported')


def _follow_avgpool(layer: Layer) -> None:
    layer.height = layer.width = 1


FOLLOWERS = dict(
    convolutional=_follow_convolution,
    maxpool=_follow_maxpool,
    reorg=_follow_reorg,
    upsample=_follow_upsample,
    shortcut=_follow_shortcut,
    avgpool=_follow_avgpool,
)


def _positive(layer: Layer, key: str, default: int | None = None) -> int:
    value = layer.section.integer(key, default)
    if value < 1:
        raise DarknetError(f'{layer}: {layer.section.at(key)}; it must be at least 1')
    return value


def _strides(layer: Layer) -> tuple[int, int]:
    """Down and across; a ``stride_y`` or ``stride_x`` below 1 is none to darknet."""
    stride = _positive(layer, 'stride', 1)
    given = (layer.section.integer(f'stride_{axis}', stride) for axis in 'yx')
    return tuple(each if each >= 1 else stride for each in given)
