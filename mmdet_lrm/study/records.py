"""What is kept of a finished training: one schema, read and written here alone."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from ..training.files import write_whole
from .fairness import StudyError

# Every record of a file says these itself; others that all of them share are written once.
OWN = ('label', 'baseline', 'seed', 'metrics')


class Placed(Protocol):
    """A run, or its record, of a study."""

    label: str
    seed: int


@dataclass(frozen=True)
class Record:
    """A training of a study, as a line of ``results/NAME.json`` holds it.

    Values over time are columns: by name a list, all of one length.
    """

    label: str
    """Of its method in the study."""
    baseline: str | None
    """Label of the method that it is compared with; None for a baseline."""
    config: str
    """Stem of the config's file."""
    seed: int
    metrics: dict[str, float | None]
    """By name, as MMEngine reports them: the mean of the last epochs that the study asks for.

    A file leaves them out where :func:`mean_of_last` of the evaluations is the same.
    """
    changes: dict[str, str] = field(default_factory=dict)
    """By key of the config, the repr of the value by which the method differs from its baseline."""
    common: dict[str, str] = field(default_factory=dict)
    """By key of the config, the repr of what all runs of the study have besides their files."""
    epochs: int = 0
    last: int = 1
    """Of how many last epochs the metrics are the mean."""
    metric: str = ''
    """That decides in the study; '': the first of :func:`.report.columns`."""
    images: str = ''
    data: str = ''
    """Digest of the images and truths that train and are evaluated, as :mod:`.data_digest` makes
    it; '' in records of older versions."""
    initial_weights: str = ''
    commit: str = ''
    """At which the training began; those of later starts that had others follow, after ', '."""
    versions: dict[str, str] = field(default_factory=dict)
    hardware: str = ''
    minutes: float | None = None
    memory_mb: int | None = None
    memory_of: str = ''
    evaluations: dict[str, list] = field(default_factory=dict)
    """The metrics of each evaluated ``epoch``."""
    losses: dict[str, list] = field(default_factory=dict)
    """The training ``loss`` of the last iterations of each ``epoch``."""
    diagnosis: dict[str, list] = field(default_factory=dict)
    """Shares of the gradient at each measured iteration, ``iter``."""
    errors: dict[str, float | None] = field(default_factory=dict)
    """What was wrong with the detections of the last epoch; see :func:`.errors.summary`."""

    @property
    def only_diagnosed(self) -> bool:
        """The training was not evaluated, and the metrics are shares of its gradient."""
        return bool(self.diagnosis) and not self.evaluations

    @property
    def values(self) -> dict[str, float | None]:
        """By the names that tables and plots know: the metrics, and ``errors/...``."""
        return self.metrics | {f'errors/{name}': value for name, value in self.errors.items()}


def read_records(path: Path) -> list[Record]:
    """The records of a file.

    Raises:
        StudyError: it holds something else, or is damaged.
    """
    try:
        content = json.loads(path.read_text())
        shared, records = content['shared'], content['records']
        return [_record(_joined(shared, own)) for own in records]
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise StudyError(
            f"'{path}' holds no records ({type(error).__name__}: {error}); take the file from git, "
            'or run its study again'
        ) from error


def records_of(study: str, folder: Path) -> list[Record]:
    """Of ``folder/STUDY.json``; until it is there, of its parts that are in ``folder/parts``."""
    whole = folder / f'{study}.json'
    # By length first, so that part 2 comes before part 11.
    parts = sorted(folder.glob(f'parts/{study}.part*of*.json'), key=lambda it: (len(it.name), it))
    files = [whole] if whole.is_file() else parts
    return [record for file in files for record in read_records(file)]


def names_of_records(folder: Path) -> list[str]:
    """The studies, or other tables, that ``folder`` holds whole or in parts."""
    parts = (file.name.partition('.part')[0] for file in folder.glob('parts/*.part*of*.json'))
    return sorted({file.stem for file in folder.glob('*.json')}.union(parts))


def _record(fields: dict) -> Record:
    if 'metrics' in fields:
        return Record(**fields)
    found = Record(metrics={}, **fields)
    return replace(found, metrics=mean_of_last(found.evaluations, found.last))


def write_records(records: Sequence[Record], path: Path) -> None:
    """As JSON with a record a line, so that a change of one run is a change of one line."""
    fields = [_fields(record) for record in records]
    shared = _shared(fields)
    lines = [_json(_without(each, shared)) for each in fields]
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ',\n'.join(lines)
    write_whole(path, f'{{"shared": {_json(shared)},\n"records": [\n{rows}\n]}}\n')


def _fields(record: Record) -> dict:
    fields = asdict(record)
    if record.metrics == mean_of_last(record.evaluations, record.last):
        del fields['metrics']
    return fields


def _shared(fields: list[dict]) -> dict:
    """By field what all records have, among it the ``epoch`` of every evaluation.

    Where entries of a field differ, all its names are here in their order, which is that of tables,
    with None for the values that a record says itself.
    """
    found = {}
    for key in fields[0] if fields else ():
        values = [each.get(key) for each in fields]
        if key in OWN or not all(values):
            continue
        if len({_json(value) for value in values}) == 1:
            found[key] = values[0]
        elif isinstance(values[0], dict) and len({tuple(value) for value in values}) == 1:
            rows = zip(*(value.values() for value in values), strict=True)
            alike = [row[0] if all(it == row[0] for it in row) else None for row in rows]
            found[key] = dict(zip(values[0], alike, strict=True))
    return found


def _without(fields: dict, shared: dict) -> dict:
    """What a record says itself, besides what all share."""
    own = {key: value for key, value in fields.items() if key in OWN or value != shared.get(key)}
    for key in own.keys() & shared.keys():
        if isinstance(own[key], dict):
            own[key] = {k: v for k, v in own[key].items() if v != shared[key][k]}
    return {key: value for key, value in own.items() if key in OWN or value}


def _joined(shared: dict, own: dict) -> dict:
    parts = {key: shared[key] | own[key] for key in own if isinstance(shared.get(key), dict)}
    return shared | own | parts


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(',', ':'))


def require_kept(path: Path, runs: Iterable[Placed], remedy: str) -> None:
    """No run that a file holds is lost where the records of ``runs`` take its place.

    Raises:
        StudyError: it holds others too, or something else.
    """
    if not path.exists():
        return
    try:
        there = {(each.label, each.seed) for each in read_records(path)}
    except StudyError as error:
        raise StudyError(
            f"'{path}', where the records go, holds none; move it away, or give another name"
        ) from error
    lost = [
        f'{label}, seed {seed}'
        for label, seed in there - {(each.label, each.seed) for each in runs}
    ]
    if lost:
        raise StudyError(
            f"'{path}' holds {len(lost)} of {len(there)} runs that are not among these, such as "
            f'{min(lost)}, and they would be lost; {remedy}'
        )


def put_record(record: Record, path: Path) -> None:
    """Among the records of a file, in the place of one of its label and seed."""
    records = read_records(path) if path.exists() else []
    places = [(each.label, each.seed) for each in records]
    if (record.label, record.seed) in places:
        records[places.index((record.label, record.seed))] = record
    else:
        records.append(record)
    write_records(records, path)


# --- values ---------------------------------------------------------------------------------------


def mean_of_last(evaluations: dict[str, list], number: int) -> dict[str, float | None]:
    """Metrics over the last evaluated epochs; None where one of them has no value."""
    found = {}
    for name, values in evaluations.items():
        last = values[-number:]
        if name != 'epoch':
            found[name] = None if None in last else kept(float(np.mean(last)))
    return found


def kept(value: object, digits: int = 4) -> object:
    """A value for JSON, which has no NaN; four digits are more than chance leaves of any metric."""
    if not isinstance(value, float):
        return value
    return round(value, digits) if math.isfinite(value) else None
