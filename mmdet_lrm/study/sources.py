"""What a report is of: records of a study, or those of single trainings, and their folders."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

from mmengine.config import Config

from ..errors import UserError
from .fairness import differences
from .plan import run_name
from .records import Record, mean_of_last, read_records
from .report import columns
from .runs import image_lists
from .trainings import FINISHED, read_finished, read_logs

RECORDS = 'records.json'
"""In the folder of a finished study."""
# By these two trainings of one method may differ.
OF_A_RUN = ('work_dir', 'resume', 'load_from', 'launcher')
# As MMEngine heads its logs.
VERSIONS = {'python': 'Python', 'torch': 'PyTorch', 'mmengine': 'MMEngine'}


class SourceError(UserError):
    """Nothing that a report can be made of."""


@dataclass(frozen=True)
class Source:
    """Runs that are compared."""

    title: str
    records: list[Record]
    folders: Mapping[tuple[str, int], Path]
    """By label and seed, of those runs whose work folder is there."""
    metric: str
    """Name of the metric that decides."""
    home: Path
    """Where its report belongs: the folder of the study, or of the first training."""
    comparable: bool = True
    """False of trainings that stand at different epochs, each of which is a method of its own."""


def find(paths: Sequence[Path], results: Path, work_dirs: Path) -> Source:
    """What the arguments of a command line mean.

    Args:
        paths: a study's file (configs/studies/NAME.py), its records (NAME.json) or its work folder;
            or work folders of trainings, that of the baseline first.
        results, work_dirs: folders of records, and of the work folders of studies.

    Raises:
        SourceError: they mean nothing, or nothing is left of what they mean.
    """
    for path in paths:
        if not path.exists():
            raise SourceError(f"'{path}' is not there (from {Path.cwd()}); {MEANT}")
    first = paths[0]
    if first.is_file() or (first / 'runs').is_dir():
        if len(paths) > 1:
            raise SourceError(f"'{first}' is a study, which a report is made of alone")
        return of_study(first, results, work_dirs)
    return of_folders(paths)


MEANT = (
    'give work folders of trainings, or a study: configs/studies/NAME.py, its work folder, or '
    'results/NAME.json'
)


# --- studies --------------------------------------------------------------------------------------


def of_study(path: Path, results: Path, work_dirs: Path) -> Source:
    """Of a study's file, records or work folder."""
    if path.is_dir():
        name, folder = path.resolve().name, path
    elif path.suffix in ('.py', '.json'):
        name, folder = path.stem, work_dirs / path.stem
        if path.name == RECORDS:
            name, folder = path.resolve().parent.name, path.parent
    else:
        raise SourceError(f"'{path}' is neither a study's file nor its records; {MEANT}")
    file = path
    if path.suffix != '.json':
        places = [results / f'{name}.json', folder / RECORDS][:: -1 if path.is_dir() else 1]
        file = next((each for each in places if each.is_file()), None)
    if file is None:
        raise SourceError(
            f'the study {name} has no records ({" and ".join(map(str, places))} are not there); '
            'tools/benchmark.py writes them when its last run is finished. What is finished of it '
            f'can be given by itself, such as {folder / "runs"}/*'
        )
    records = read_records(file)
    if not records or not records[0].metrics:
        raise SourceError(f"'{file}' holds no run that was evaluated; run its study")
    metric = next(iter(columns(records).values()))
    if path.suffix == '.py':
        metric = Config.fromfile(path).get('metric', metric)
    return Source(name, records, folders_of(records, folder / 'runs'), metric, folder)


def folders_of(records: Sequence[Record], runs: Path) -> dict[tuple[str, int], Path]:
    """Folders of finished runs whose logs are those of records."""
    found = {}
    for record in records:
        name = run_name(record.label, record.seed)
        for folder in sorted(runs.glob('*')):
            if folder.name.rpartition('-')[0] == name and (folder / FINISHED).is_file():
                logs = read_finished(folder)['logs']
                if logs.evaluations == record.evaluations:
                    found[record.label, record.seed] = folder
    return found


# --- single trainings -----------------------------------------------------------------------------


def of_folders(paths: Sequence[Path]) -> Source:
    """Trainings, the first of which is the baseline, with all of its seeds."""
    methods: list[tuple[dict, list[tuple[Path, Config]]]] = []
    for path in paths:
        config = config_of(path)
        bare = method_of(config)
        group = next((runs for known, runs in methods if known == bare), None)
        if group is None:
            methods.append((bare, group := []))
        group.append((path, config))
    labels = labels_of([runs for _, runs in methods])
    records, folders = [], {}
    for label, (bare, runs) in zip(labels, methods, strict=True):
        changes = {key: repr(new) for key, _, new in differences(methods[0][0], bare)}
        for path, config in runs:
            baseline = None if label == labels[0] else labels[0]
            record = recorded(path, config, label, baseline, changes)
            other = folders.setdefault((label, record.seed), path)
            if other is not path:
                raise SourceError(
                    f"'{path}' and '{other}' are trainings by one config with one seed "
                    f'({record.seed}); give one of them'
                )
            records.append(record)
    if len({frozenset(record.metrics) for record in records}) > 1:
        raise SourceError(
            'the trainings were evaluated by different metrics; report on them one by one'
        )
    metric = next(iter(columns(records).values()))
    comparable = len({record.epochs for record in records}) == 1
    if not comparable:
        records, folders = apart(records, folders)
    return Source(', '.join(labels), records, folders, metric, paths[0], comparable)


def apart(
    records: Sequence[Record], folders: Mapping[tuple[str, int], Path]
) -> tuple[list[Record], dict[tuple[str, int], Path]]:
    """Each training as a method that is compared with none, called by its epoch too.

    Values after unequal lengths of training have no mean and no difference that tell of methods.
    """
    seeds = Counter(record.label for record in records)
    found, places = [], {}
    for record in records:
        seed = f', seed {record.seed}' if seeds[record.label] > 1 else ''
        label = f'{record.label}{seed}, epoch {record.epochs}'
        places[label, record.seed] = folders[record.label, record.seed]
        found.append(replace(record, label=label, baseline=None))
    return found, places


def config_of(path: Path) -> Config:
    """That the Runner left in a work folder, the newest of several."""
    files = sorted(path.glob('*.py'), key=lambda file: file.stat().st_mtime)
    if not path.is_dir() or not files:
        raise SourceError(f"'{path}' is no work folder of a training: no config is in it; {MEANT}")
    return Config.fromfile(files[-1])


def method_of(config: Config) -> dict:
    """What is the same for all seeds of a method."""
    bare = deepcopy(config.to_dict())
    for key in OF_A_RUN:
        bare.pop(key, None)
    bare['randomness'] = {
        key: value for key, value in bare.get('randomness', {}).items() if key != 'seed'
    }
    return bare


def labels_of(methods: Sequence[Sequence[tuple[Path, Config]]]) -> list[str]:
    """Names of the configs' files; of the folders, where two would be called alike."""
    stems = [Path(runs[0][1].filename).stem for runs in methods]
    if len(set(stems)) == len(stems) and 'config' not in stems:
        return stems
    folders = [label_of(runs[0][0].resolve().name) for runs in methods]
    if len(set(folders)) < len(folders):
        folders = [str(runs[0][0]) for runs in methods]
    return folders


def label_of(folder: str) -> str:
    """Of the method of a study's run, as far as its folder tells, which has '_' for each blank."""
    name = re.sub(r'-seed\d+-[0-9a-f]{8}$', '', folder)
    return re.sub(r'(=[^_=]+)_(?=[A-Za-z_.]+=)', r'\1 ', name)


def recorded(
    path: Path, config: Config, label: str, baseline: str | None, changes: Mapping[str, str]
) -> Record:
    """Of the logs of a training, as far as it came.

    Raises:
        SourceError: nothing was evaluated.
    """
    try:
        logs = read_logs(path)
    except KeyError as error:
        raise SourceError(
            f"the logs of '{path}' have no {error}; a report is of trainings that count epochs"
        ) from error
    if not logs.evaluations:
        raise SourceError(
            f"the logs of '{path}' hold no evaluation; a report needs one: train on, or "
            'give the config val_dataloader, val_evaluator and val_cfg if it has none'
        )
    return Record(
        label=label,
        baseline=baseline,
        config=Path(config.filename).stem,
        seed=config.get('randomness', {}).get('seed') or 0,
        metrics=mean_of_last(logs.evaluations, 1),
        changes=dict(changes),
        epochs=logs.evaluations['epoch'][-1],
        images=image_lists(config),
        versions=versions_of(path),
        evaluations=logs.evaluations,
        losses=logs.losses,
        diagnosis=logs.diagnosis,
    )


def versions_of(path: Path) -> dict[str, str]:
    """What the newest log says that it was trained with."""
    logs = sorted(path.glob('*/*.log'))
    head = logs[-1].read_text(errors='replace')[:20_000] if logs else ''
    found = {name: re.search(rf'^ +{key}: (\S+)', head, re.M) for name, key in VERSIONS.items()}
    return {name: match[1] for name, match in found.items() if match}
