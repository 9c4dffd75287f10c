"""What a study compares, read from its file or from a command line.

A study's file, configs/studies/NAME.py, sets

- ``baseline``: a config, or a list of several, each compared with variants of its own;
- ``variants``: a list of sets of options, ``dict(hard_ratio=0.25)``, which is also the label in the
  table unless ``name`` is given; keys without a dot are options of ``lrm``, those with dots any
  keys of the config, ``custom_hooks`` is the config's, and ``epochs`` is what it is below.
  ``seed_offset`` is added to the seeds: of a baseline under another name, by which to see chance
  alone. A text is a config of its own;
- ``seeds``, ``last`` (metrics are the mean of the last K epochs), ``differ`` (keys that configs of
  their own may differ in), ``diagnose`` (iterations between two measurements of who carries the
  gradient, in the first seed), ``evaluate`` (False: only that is measured);
- ``input_size`` (w, h) and ``epochs`` of all runs; ``reduced`` and ``options``, keys and values for
  all runs alike, the first for what makes trainings small;
- ``data``: values for the environment variables that configs read, where they are not set;
- ``needs``, what must be downloaded, a text each, and ``images``, how many train and are evaluated,
  for ``--check``;
- ``metric``, which decides, and ``main``, labels of what a summary tells of many variants.

Names that begin with ``_`` are the file's own.
"""

import ast
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmengine.config import Config

from ..launch import config_path, require_file
from ..launch.variables import READ
from .fairness import StudyError
from .plan import LRM, WHOLE, Study, Variant

SETTINGS = ('seeds', 'last', 'differ', 'diagnose', 'evaluate', 'data', 'needs', 'images', 'metric')
FILE_KEYS = (
    *SETTINGS,
    *('baseline', 'variants', 'input_size', 'epochs', 'reduced', 'options', 'main'),
)


def read_study(
    path: str | Path, options: Sequence[Mapping[str, object]] = (), **settings: object
) -> Study:
    """The study of a file, ``configs/studies/NAME.py`` or one's own.

    Args:
        options: of all runs alike, besides its own.
        settings: take the place of its own, where they are not None.

    Raises:
        StudyError: the file is no study, or has a name that a study does not have.
    """
    path = Path(config_path(str(path)))
    require_file('study', path)
    given = Config.fromfile(path).to_dict()
    if 'baseline' not in given:
        raise StudyError(
            f"'{path}' is no study, which sets `baseline`; if it is a config to compare, the "
            'results need a name before the configs'
        )
    if unknown := [key for key in given if key not in FILE_KEYS and key[0] != '_']:
        raise StudyError(
            f'{path} sets {", ".join(unknown)}; a study may set {", ".join(FILE_KEYS)}'
        )
    folders = (path.parent, path.parent.parent)
    baselines = given['baseline']
    baselines = baselines if isinstance(baselines, list) else [baselines]
    variants = [
        variant
        for each in baselines
        for variant in _group(each, given.get('variants', ()), len(baselines) > 1, folders)
    ]
    whole = {key: given[key] for key in WHOLE if key in given}
    options = (whole, given.get('reduced', {}), given.get('options', {}), *options)
    return _study(variants, options, **{key: given.get(key) for key in SETTINGS} | _set(settings))


def compare(
    configs: Sequence[str],
    variants: Sequence[str] = (),
    grid: Sequence[str] = (),
    options: Sequence[Mapping[str, object]] = (),
    **settings: object,
) -> Study:
    """The study of a command line, a baseline and what is compared with it.

    Args:
        configs: the baseline, then configs of their own.
        variants: texts '[NAME: ]KEY=VALUE KEY=VALUE' of options for the baseline.
        grid: texts 'KEY=A,B' of options for the baseline, in all combinations.
        options: of all runs alike.
        settings: of the study, where they are not None.

    Raises:
        StudyError: a text cannot be read.
    """
    chosen = []
    for text in variants:
        name, _, listed = text.rpartition(': ')
        pairs = dict(_key_and_value('--variants', part) for part in listed.split())
        chosen.append((name or listed, {key: _parse(value) for key, value in pairs.items()}))
    axes = []
    for key, listed in (_key_and_value('--grid', text) for text in grid):
        axes.append([(key, value) for value in _split_values(listed)])
    for pairs in itertools.product(*axes) if axes else ():
        label = ' '.join(f'{key}={value}' for key, value in pairs)
        chosen.append((label, {key: _parse(value) for key, value in pairs}))
    first = Variant(Path(configs[0]).stem, configs[0])
    found = [
        first,
        *(Variant(Path(name).stem, name, {}, first.label) for name in configs[1:]),
        *(Variant(name, first.config, changes_of(each), first.label) for name, each in chosen),
    ]
    return _study(found, options, **settings)


def laid_over(file: Path) -> dict[str, object]:
    """Of a config that is laid over others, what is read; its variables have done their work."""
    require_file('overlay', file)
    given = Config.fromfile(file).to_dict()
    return {key: value for key, value in given.items() if key in READ}


def diagnose(
    config: str, options: Mapping[str, object], epochs: int, interval: int, label: str | None
) -> Study:
    """Of one config, whose first epochs are measured and not evaluated.

    The schedule is that of the whole training, of which the first epochs are run.
    """
    baseline = Variant(label or Path(config).stem, config)
    options = options | {'train_cfg.max_epochs': epochs}
    return _study([baseline], [options], seeds=1, diagnose=interval, evaluate=False)


def changes_of(options: Mapping[str, object]) -> dict[str, object]:
    """Keys of the config as they are; the others, which have no dot, are options of ``lrm``."""
    named = {*WHOLE, 'custom_hooks'}
    changes = {key: value for key, value in options.items() if '.' in key or key in named}
    mining = {key: value for key, value in options.items() if key not in changes}
    return changes | ({LRM: dict(type='LRMLoss') | mining} if mining else {})


def _study(
    variants: Sequence[Variant], options: Sequence[Mapping[str, object]], **settings: object
) -> Study:
    settings = _set(settings)
    if isinstance(settings.get('seeds'), int):
        settings['seeds'] = tuple(range(settings['seeds']))
    if 'differ' in settings:
        settings['differ'] = tuple(settings['differ'])
    for label, times in Counter(variant.label for variant in variants).items():
        if times > 1:
            raise StudyError(f"{times} variants are called '{label}'; give each its own name")
    return Study(tuple(variants), tuple(each for each in options if each), **settings)


def _set(settings: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in settings.items() if value is not None}


def _group(
    baseline: str | dict, listed: Sequence[str | dict], prefixed: bool, folders: Sequence[Path]
) -> Iterator[Variant]:
    """A baseline and its variants, which several baselines tell apart by their labels."""
    entry = dict(config=baseline) if isinstance(baseline, str) else dict(baseline)
    config = _find(entry.pop('config'), folders)
    first = Variant(entry.pop('name', Path(config).stem), config, entry)
    yield first
    for each in listed:
        if isinstance(each, str):
            file = _find(each, folders)
            yield Variant(Path(file).stem, file, {}, first.label)
            continue
        options = dict(each)
        text = ' '.join(f'{key}={value}' for key, value in options.items())
        label = options.pop('name', text)
        if prefixed:
            label = f'{first.label}, {label}'
        yield Variant(label, config, {**first.changes, **changes_of(options)}, first.label)


def _find(config: str, folders: Sequence[Path]) -> str:
    """A config beside the study's file, or in the folder above."""
    found = (folder / config for folder in folders)
    return str(next((file for file in found if file.is_file()), config))


def _key_and_value(argument: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition('=')
    if not equals or not value:
        raise StudyError(f"{argument} has '{text}'; give KEY=VALUE such as hard_ratio=0.25")
    return key, value


def _split_values(text: str) -> list[str]:
    """At the commas outside of brackets."""
    parts, depth = [''], 0
    for letter in text:
        depth += (letter in '[(') - (letter in '])')
        if letter == ',' and not depth:
            parts.append('')
        else:
            parts[-1] += letter
    return parts


def _parse(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
