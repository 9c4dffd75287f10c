"""What is kept of a finished training: one schema, read and written here alone."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """A training of a study, as a line of ``results/NAME.json`` holds it."""

    label: str
    """Of its method in the study."""
    baseline: str | None
    """Label of the method that it is compared with; None for a baseline."""
    config: str
    """Stem of the config's file."""
    seed: int
    metrics: dict[str, float | None]
    """By name, as MMEngine reports them: the mean of the last epochs that the study asks for."""
    changes: dict[str, str] = field(default_factory=dict)
    """By key of the config, the repr of the value by which the method differs from its baseline."""
    common: dict[str, str] = field(default_factory=dict)
    """By key of the config, the repr of what all runs of the study have besides their files."""
    epochs: int = 0
    last: int = 1
    """Of how many last epochs the metrics are the mean."""
    images: str = ''
    initial_weights: str = ''
    commit: str = ''
    versions: dict[str, str] = field(default_factory=dict)
    hardware: str = ''
    minutes: float | None = None
    memory_mb: int | None = None
    memory_of: str = ''
    evaluations: list[dict] = field(default_factory=list)
    """By epoch that was evaluated, its metrics."""
    losses: list[dict] = field(default_factory=list)
    """By epoch, the training loss of its last iterations."""
    diagnosis: dict[str, list] = field(default_factory=dict)
    """By name, the values over the measured iterations (``iter``)."""


def read_records(path: Path) -> list[Record]:
    return [Record(**each) for each in json.loads(path.read_text())]


def write_records(records: Sequence[Record], path: Path) -> None:
    """As JSON with a record a line, so that a change of one run is a change of one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(_without_empty(record), allow_nan=False) for record in records]
    whole = path.with_name(f'{path.name}.{os.getpid()}.part')
    whole.write_text('[\n' + ',\n'.join(lines) + '\n]\n')
    os.replace(whole, path)


def _without_empty(record: Record) -> dict:
    """A field that holds nothing takes no room, except those that every record has."""
    kept = ('label', 'baseline', 'config', 'seed', 'metrics')
    return {key: value for key, value in asdict(record).items() if value or key in kept}
