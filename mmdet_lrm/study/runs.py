"""From the runs of a study to their records: trained where they are missing, shared, and merged."""

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from mmengine.config import Config

from ..launch import config_path, find_datasets
from ..mining.diagnosis import stages
from .data_digest import digests
from .detections import summary_of_dump
from .fairness import StudyError
from .plan import Run
from .records import Record, kept, mean_of_last
from .trainings import Training, Trainings, run_dir

# In these a record says to which run of which study it belongs.
OF_RUN = ('label', 'baseline', 'config', 'seed', 'changes', 'common', 'epochs', 'last')
# Changes by these keys are of the data, unless they are of a pipeline, which comes after it.
OF_DATA = re.compile(
    r'(train|val)_dataloader\.dataset\b(?!.*\.pipeline\b)|val_evaluator(.*\.ann_file)?$'
)


def run_all(plan: Sequence[Run], folder: Path, jobs: int = 1) -> list[Record]:
    """The record of every run, in the order of the plan; what is missing is trained first.

    Args:
        folder: trainings go to ``runs`` in it, each found again by its whole config and its data.
        jobs: trainings at a time.

    Raises:
        TrainingError: one failed; the others are stopped.
    """
    trainings, data = Trainings(), digests([run.config for run in plan])
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [
            pool.submit(run_one, run, each, folder / 'runs', trainings)
            for run, each in zip(plan, data, strict=True)
        ]
        try:
            for number, job in enumerate(waiting, start=1):
                job.result()
                print(f'{number} of {len(waiting)} runs are ready', flush=True)
        except BaseException:
            trainings.stop()
            pool.shutdown(cancel_futures=True)
            raise
    return [job.result() for job in waiting]


def run_one(run: Run, data: str, folder: Path, trainings: Trainings) -> Record:
    """``data``: the digest of what it trains on and is evaluated on."""
    work_dir = run_dir(run.name, run.config, data, folder).resolve()
    config = run.config
    if run.study.evaluate:
        dump = dict(type='DumpDetResults', out_file_path=str(work_dir / 'detections.pkl'))
        config = config.copy()
        config.val_evaluator = [*recorded_evaluators(config), dump]
    return record(run, trainings.train(run.name, config, work_dir), data)


def record(run: Run, training: Training, data: str = '') -> Record:
    """Of a finished training; of one that is not evaluated the metrics are what was measured."""
    logs = training.logs
    if run.study.evaluate:
        require_last(run, logs.evaluations.get('epoch', []))
        metrics = mean_of_last(logs.evaluations, run.study.last)
    elif logs.diagnosis:
        metrics = {
            f'{stage}/{name}': kept(value)
            for stage, values in stages(logs.diagnosis).items()
            for name, value in values.items()
        }
    else:
        raise StudyError('nothing was measured; give an --interval below the number of iterations')
    errors = summary_of_dump(run.config, training.config.parent) if run.study.evaluate else {}
    return Record(
        **of_run(run),
        metrics=metrics,
        metric=run.study.metric,
        errors={name: kept(value) for name, value in errors.items()},
        images=image_lists(run.config),
        data=data,
        initial_weights=run.initial_weights,
        commit=training.commit,
        versions=training.versions,
        hardware=training.hardware,
        minutes=training.spent.minutes,
        memory_mb=training.spent.memory_mb,
        memory_of=training.memory_of,
        evaluations=logs.evaluations,
        losses=logs.losses,
        diagnosis=logs.diagnosis,
    )


def require_last(run: Run, evaluated: list[int]) -> None:
    """The last of the evaluated epochs are those whose mean the record claims to hold.

    Raises:
        StudyError: one is missing, and its checkpoint is gone.
    """
    end = run.config.train_cfg.max_epochs
    wanted = list(range(max(1, end - run.study.last + 1), end + 1))
    if evaluated[-len(wanted) :] != wanted:
        raise StudyError(
            f'{run.name} was evaluated at epochs {evaluated}, and its record needs {wanted}: an '
            'evaluation was interrupted and not done again. Remove its folder in `runs`, and it '
            'is trained again'
        )


def of_run(run: Run) -> dict[str, object]:
    """The fields ``OF_RUN``."""
    return dict(
        label=run.variant.label,
        baseline=run.variant.baseline,
        config=Path(config_path(run.variant.config)).stem,
        seed=run.seed,
        changes=run.changes,
        common=run.common,
        epochs=run.config.train_cfg.max_epochs,
        last=run.study.last,
    )


def image_lists(config: Config) -> str:
    """Which images train, and are evaluated if any are, without the machine's path."""
    lists = [
        dataset.get('ann_file', '')
        for loader in ('train_dataloader', 'val_dataloader')
        if config[loader] is not None
        for dataset in find_datasets(config[loader])
    ]
    return f'{Path(config.get("data_root") or "").name}: {", ".join(lists)}'


def recorded_evaluators(config: Config) -> list[dict]:
    """The config's, of which the first of VOC's reports each class, as KITTI's does."""
    given = config.val_evaluator
    found = [dict(each) for each in (given if isinstance(given, list) else [given])]
    of_voc = [
        each for each in found if each['type'] == 'VOCMetric' and each.get('metric', 'mAP') == 'mAP'
    ]
    if of_voc:
        of_voc[0].update(type='VOCClassMetric', prefix='voc')
    return found


# --- shares of a study ----------------------------------------------------------------------------


def read_part(text: str) -> tuple[int, int]:
    """I and N of 'I/N'."""
    number, slash, of = text.partition('/')
    if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise StudyError(f"--part is '{text}'; it must be I/N, such as 2/8, with I from 1 to N")
    return int(number), int(of)


def part(plan: Sequence[Run], number: int, of: int) -> list[Run]:
    """The runs of one of several machines, ``number`` from 1 on.

    Neighbours in the plan stay together, so that a part has whole seeds as far as the numbers
    allow: what is compared on one seed was trained by one machine.
    """
    return list(plan[len(plan) * (number - 1) // of : len(plan) * number // of])


def merge(plan: Sequence[Run], records: Iterable[Record]) -> tuple[list[Record], list[Run]]:
    """Records of parts in the order of the plan, and the runs that none of them has.

    Raises:
        StudyError: a record is of no run of the plan, two of a run differ, or records that are
            compared were not made from the same images, truths and first weights.
    """
    runs = {(run.variant.label, run.seed): run for run in plan}
    found, starts = {}, {}
    for each in records:
        key = each.label, each.seed
        name = f'{each.label}, seed {each.seed}'
        if key not in runs:
            raise StudyError(f'{name} is no run of this study; merge only the parts of one study')
        for field, value in of_run(runs[key]).items():
            if getattr(each, field) != value:
                raise StudyError(
                    f'{name} was recorded with {field} {getattr(each, field)!r}, and the study '
                    f'has {value!r}; it belongs to another study, or to an older form of this one'
                )
        if found.setdefault(key, each) != each:
            raise StudyError(f'{name} was recorded twice, with different results; leave out one')
        start = each.images, each.initial_weights
        trained_with = each.seed, each.changes.get('randomness.seed')
        if starts.setdefault((each.baseline or each.label, *trained_with), start) != start:
            raise StudyError(
                f'{name} had other images or first weights than what it is compared with'
            )
    require_the_same_data(found.values())
    missing = [run for key, run in runs.items() if key not in found]
    there = {key: run.study.metric for key, run in runs.items() if key in found}
    return [replace(found[key], metric=metric) for key, metric in there.items()], missing


def require_the_same_data(records: Iterable[Record]) -> None:
    """What is compared, of any seed, had the same data, or those that its changes name.

    A record without a digest says nothing of its data.

    Raises:
        StudyError: one had others.
    """
    known: dict[tuple, Record] = {}
    for each in (record for record in records if record.data):
        changed = sorted(pair for pair in each.changes.items() if OF_DATA.match(pair[0]))
        first = known.setdefault((each.baseline or each.label, *changed), each)
        if each.data != first.data:
            raise StudyError(
                f'{each.label}, seed {each.seed} had other data than {first.label}, seed '
                f'{first.seed} ({each.data} and {first.data}): lists, images or truths differ. '
                'Give all machines the same data, and train anew what had others'
            )
