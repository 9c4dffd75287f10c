"""All runs of a study, checked before any of them begins."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace

from mmengine.config import Config
from mmengine.registry import init_default_scope

from ..configs import lengthened
from ..launch import (
    check_data,
    config_path,
    find_datasets,
    load_with_variables,
    require_data,
    require_file,
    require_known_parts,
    require_mining_heads,
)
from .fairness import StudyError, check_fair, differences, initial_weights

LRM = 'model.bbox_head.lrm'
# What is no key of a config: a change of several, wherever they stand.
WHOLE = {
    'epochs': ('train_cfg.max_epochs', 'param_scheduler'),
    'input_size': ('train_dataloader', 'val_dataloader', 'test_dataloader'),
    'seed_offset': ('randomness.seed',),
}
# Steps of a pipeline that give an image its size.
RESIZING = ('Resize', 'DarknetJitter', 'DarknetLetterbox')
# By which the shipped configs are told where data lie.
ROOT_VARIABLES = ('KITTI_ROOT', 'VOC_ROOT', 'COCO_ROOT', 'BCCD_ROOT', 'DATA_ROOT')


@dataclass(frozen=True)
class Variant:
    """A method of a study: a config, and what is changed in it."""

    label: str
    config: str
    """Its file."""
    changes: Mapping[str, object] = field(default_factory=dict)
    """Values by key of the config, spelt as ``--cfg-options`` has them."""
    baseline: str | None = None
    """Label of the method that it is compared with; None for a baseline."""

    @property
    def seed_offset(self) -> int:
        """What its trainings add to the study's seeds; 0 where methods are paired by seed."""
        return self.changes.get('seed_offset', 0)


@dataclass(frozen=True)
class Study:
    variants: tuple[Variant, ...]
    """Each baseline before what is compared with it."""
    options: tuple[Mapping[str, object], ...] = ()
    """Of all runs alike, applied one after the other."""
    seeds: tuple[int, ...] = (0, 1, 2)
    last: int = 1
    differ: tuple[str, ...] = (LRM,)
    diagnose: int | None = None
    evaluate: bool = True
    data: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    """By what must be downloaded, where it is and what is made of it."""
    images: tuple[int, int] | None = None
    """That train, and that are evaluated; None: as many as there are."""
    metric: str = ''
    """That decides; '': the first of :func:`.report.columns`."""


@dataclass(frozen=True)
class Run:
    """A training of a study."""

    study: Study
    variant: Variant
    seed: int
    """Of the study; ``config.randomness.seed`` is that of the training."""
    config: Config
    """All that is trained, apart from the files that its evaluation writes."""
    changes: Mapping[str, str]
    """By key, the repr of what the variant has in the place of its baseline's value."""
    common: Mapping[str, str]
    """By key, the repr of what the study has in the place of the baseline's file's value."""
    initial_weights: str = ''

    @property
    def label(self) -> str:
        """Of its method."""
        return self.variant.label

    @property
    def name(self) -> str:
        return run_name(self.label, self.seed)


def run_name(label: str, seed: int) -> str:
    """Of a run, as its folder and its lines on the screen begin."""
    return f'{label.replace(" ", "_").replace("/", "-")}-seed{seed}'


def make_plan(study: Study) -> list[Run]:
    """All runs, seed by seed: methods have the same seeds whenever the work is interrupted.

    Raises:
        UserError: configs are missing, differ in more than the study names, or do not fit it; or a
            head that cannot mine is given an ``lrm``.
    """
    files, configs, common, methods = {}, {}, {}, []
    for variant in study.variants:
        if variant.config not in files:
            files[variant.config] = _shipped(study, variant.config)
        shipped, begun = files[variant.config]
        config = configs[variant.label] = _changed(begun, study, variant)
        require_mining_heads(config.model)
        if variant.baseline is None:
            found = differences(shipped.to_dict(), config.to_dict())
            common[variant.label] = {key: repr(value) for key, _, value in found}
        first = variant.baseline or variant.label
        named = [
            *study.differ,
            *(key for each in variant.changes for key in WHOLE.get(each, [each])),
        ]
        changes = check_fair(variant.label, config, configs[first], named)
        changes = {key: repr(value) for key, value in changes.items()}
        methods.append((variant, config, changes, common[first]))
    return [
        Run(study, variant, seed, measured(config, study, seed, variant.seed_offset), *texts)
        for seed in study.seeds
        for variant, config, *texts in methods
    ]


def check_start(plan: Sequence[Run]) -> list[Run]:
    """The runs with the fingerprints of their first weights, which no method may have alone.

    Raises:
        UserError: data are missing or amiss, a model cannot be built, or first weights are not
            those of the baseline.
    """
    init_default_scope(plan[0].config.get('default_scope', 'mmdet'))
    for run in plan:
        if run.variant.baseline is None:
            loaders = ('train_dataloader', 'val_dataloader')
            require_data(run.config, *loaders[: 1 + run.study.evaluate])
            if run.seed == plan[0].seed:
                check_data(run.config, *loaders[: 1 + run.study.evaluate])
    checked, first = [], {}
    for run in plan:
        require_known_parts(run.config)
        try:
            weights = initial_weights(run.config)
        except (ValueError, TypeError, KeyError, FileNotFoundError) as error:
            raise StudyError(f'{run.variant.label}: {error}') from error
        baseline = run.variant.baseline or run.variant.label
        if weights != first.setdefault((baseline, run.config.randomness.seed), weights):
            raise StudyError(
                f'with seed {run.seed} {run.variant.label} starts from other weights than '
                f'{baseline}; a comparison needs the same ones'
            )
        checked.append(replace(run, initial_weights=weights))
    return checked


def describe(plan: Sequence[Run]) -> str:
    """A line a method: what it differs by."""
    lines = []
    for label, changes in {run.variant.label: run.changes for run in plan}.items():
        listed = ', '.join(f'{key}={value}' for key, value in changes.items())
        lines.append(f'{label}: {listed or "the baseline"}')
    return '\n'.join(lines)


def _changed(config: Config, study: Study, variant: Variant) -> Config:
    """A copy with what study and variant change, apart from how its run is measured."""
    config = deepcopy(config)
    for options in study.options:
        change(config, options)
    require_epochs(config, variant.config)
    if LRM in variant.changes and config.model.bbox_head.get('lrm') is not None:
        raise StudyError(
            f'{variant.config} has an lrm already; --grid and --variants need the baseline'
        )
    require_other_seeds(study, variant)
    change(config, variant.changes)
    epochs = config.train_cfg.max_epochs
    if study.last > epochs:
        raise StudyError(
            f'last is {study.last}, and {variant.config} trains {epochs} epochs; give at most as '
            'many'
        )
    return config


def _shipped(study: Study, name: str) -> tuple[Config, Config]:
    """The config of a file, and with those variables at its top that the study's options set."""
    file = config_path(name)
    require_file('config', file)
    unset = {key: value for key, value in study.data.items() if key not in os.environ}
    given = {key: value for options in study.options for key, value in options.items()}
    variables = {key: value for key, value in given.items() if key not in WHOLE}
    with environment(unset):
        return Config.fromfile(file), load_with_variables(file, variables)


def change(config: Config, options: Mapping[str, object]) -> None:
    """Set keys of a config, and those of ``WHOLE`` wherever they stand in it."""
    # A copy, since MMEngine takes `_delete_` out of what it is given.
    keys = {key: deepcopy(value) for key, value in options.items() if key not in WHOLE}
    config.merge_from_dict(keys)
    if 'seed_offset' in options:
        config.merge_from_dict({'randomness.seed': options['seed_offset']})
    if 'epochs' in options:
        set_epochs(config, options['epochs'])
    if 'input_size' in options:
        set_input_size(config, tuple(options['input_size']))


def set_epochs(config: Config, epochs: int) -> None:
    """With the schedules that end with the training."""
    old = config.train_cfg.get('max_epochs')
    schedule = lengthened(config.param_scheduler, old, epochs)
    config.merge_from_dict({'train_cfg.max_epochs': epochs, 'param_scheduler': schedule})


def set_input_size(config: Config, size: tuple[int, int]) -> None:
    """(w, h) of every step that resizes, in every pipeline.

    Raises:
        StudyError: there is none.
    """
    steps = [
        step
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')
        for dataset in find_datasets(config.get(loader) or {})
        for step in dataset.get('pipeline', ())
        if step['type'] in RESIZING
    ]
    if not steps:
        raise StudyError(
            f'input_size needs one of {", ".join(RESIZING)} in the pipelines, and they have none'
        )
    for step in steps:
        step.scale = size


def measured(config: Config, study: Study, seed: int, seed_offset: int = 0) -> Config:
    """A copy that is trained with this seed, and is evaluated and diagnosed as the study says."""
    config = deepcopy(config)
    config.merge_from_dict({'randomness.seed': seed + seed_offset})
    # The last epochs of all are compared, so the best is not kept.
    config.default_hooks.checkpoint.update(save_best=None, max_keep_ckpts=2)
    epochs = config.train_cfg.max_epochs
    if study.evaluate:
        # MMEngine looks for the number of the epoch that comes next, so this is one more.
        config.train_cfg.dynamic_intervals = [(epochs - study.last + 2, 1)]
    else:
        # However long the interval, MMEngine evaluates after the last epoch.
        config.val_cfg = config.val_dataloader = config.val_evaluator = None
        config.default_hooks.logger.interval = study.diagnose
    if study.diagnose and seed == study.seeds[0]:
        hook = dict(type='MiningDiagnosisHook', interval=study.diagnose)
        config.custom_hooks = [*config.get('custom_hooks', []), hook]
    return config


def require_other_seeds(study: Study, variant: Variant) -> None:
    """A method with seeds of its own has none that another method of the study has."""
    if 'seed_offset' not in variant.changes:
        return
    offset, least = variant.seed_offset, max(study.seeds) - min(study.seeds) + 1
    if type(offset) is not int or offset < least:
        raise StudyError(
            f'{variant.label} has seed_offset={offset!r}; it must be a whole number of at least '
            f'{least}, so that none of its seeds is one of the study'
        )


def require_epochs(config: Config, name: str) -> None:
    """Progress, logs and records are counted in epochs."""
    if config.train_cfg.get('max_epochs') is None:
        raise StudyError(
            f'{name} trains by iterations (train_cfg has no max_epochs), and a study counts '
            "epochs; give its train_cfg type='EpochBasedTrainLoop' and max_epochs, and a schedule "
            'by epoch'
        )


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables that configs read."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
