"""Trainings as processes of their own: started, followed, interrupted, resumed, and read again."""

import hashlib
import itertools
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import packages_distributions, version
from pathlib import Path

import torch
from mmengine.config import Config

import mmdet_lrm

from ..errors import UserError
from ..mining.diagnosis import PREFIX
from ..training.files import write_whole
from ..training.lock import locked
from .records import kept

PACKAGE = Path(mmdet_lrm.__file__).parent
PROGRAM = PACKAGE / '.mim' / 'tools' / 'train.py'
POLL_SECONDS = 1.0
FINISHED = 'finished.json'
STARTS = 'starts.json'
# In the place of what an older version's start would have noted.
UNNOTED = dict(commit='unknown', versions={}, hardware='')
# glibc gives large maps back to the system and faults them in again in every step, a sixth of the
# time of a thin network on a CPU. With these of its variables it keeps them; no number changes.
KEEP_MEMORY = {
    'MALLOC_MMAP_THRESHOLD_': '4000000000',
    'MALLOC_TRIM_THRESHOLD_': '8000000000',
    'MALLOC_TOP_PAD_': '67108864',
}


class TrainingError(UserError):
    """A training ended without a result."""


@dataclass(frozen=True)
class Logs:
    """What a training logged, by name a list; of a repeated epoch the later values."""

    evaluations: dict[str, list] = field(default_factory=dict)
    """The metrics of each evaluated ``epoch``."""
    losses: dict[str, list] = field(default_factory=dict)
    """The ``loss`` of the last iterations of each ``epoch``; its terms stay in the log."""
    diagnosis: dict[str, list] = field(default_factory=dict)
    """Shares of the gradient at each measured iteration, ``iter``."""


@dataclass(frozen=True)
class Spent:
    """By all parts of an interrupted training."""

    minutes: float = 0.0
    memory_mb: int = 0

    def and_then(self, minutes: float, memory_mb: int) -> 'Spent':
        return Spent(self.minutes + minutes, max(self.memory_mb, memory_mb))


@dataclass(frozen=True)
class Training:
    """A finished training."""

    config: Path
    checkpoint: Path
    logs: Logs
    spent: Spent
    memory_of: str
    """'GPU' or 'process'."""
    commit: str
    """At which its first process started, and those of later starts as :func:`made_with` has them;
    so too what follows."""
    versions: dict[str, str]
    hardware: str


class Trainings:
    """Starts trainings, and ends those that run when it is told to stop.

    Args:
        program: takes a config, ``--resume`` and ``--work-dir``.
    """

    def __init__(self, program: Path = PROGRAM) -> None:
        self.program = program
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def train(self, name: str, config: Config, work_dir: Path) -> Training:
        """Train, or go on with it, or find the finished training again.

        Args:
            name: of the training, in its lines on the screen.
            config: all of it, seed included.
            work_dir: of this training alone; see :func:`run_dir`.

        Raises:
            TrainingError: it failed, or was stopped, or its last epoch was not evaluated.
            LaunchError: another process is at it.
        """
        work_dir.mkdir(parents=True, exist_ok=True)
        file, epochs = work_dir / 'config.py', config.train_cfg.max_epochs
        with locked(work_dir / 'run.lock'):
            found = read_finished(work_dir)
            if not found or lacks_evaluation(config, found['logs']):
                config.dump(file)
                finished = finish(work_dir, self._run(name, file, epochs))
                write_whole(work_dir / FINISHED, json.dumps(finished))
                found = read_finished(work_dir)
        if lacks_evaluation(config, found['logs']):
            raise TrainingError(
                f'training {name} ended without an evaluation of epoch {epochs}; see '
                f'{work_dir}/train.log, and remove the folder to train again'
            )
        return Training(config=file, checkpoint=work_dir / f'epoch_{epochs}.pth', **found)

    def _run(self, name: str, file: Path, epochs: int) -> Spent:
        """The process, to its end; what it and its earlier parts took."""
        work_dir, log = file.parent, file.with_name('train.log')
        state = work_dir / 'spent.json'
        before = Spent(**(read_whole(state) or {}))
        note_start(work_dir / STARTS, begun=log.exists())
        command = [sys.executable, self.program, file, '--resume', '--work-dir', work_dir]
        begin, memory = time.monotonic(), 0
        with open(log, 'a') as output:
            process = subprocess.Popen(
                command, env=KEEP_MEMORY | os.environ, stdout=output, stderr=subprocess.STDOUT
            )
            try:
                print(f'{name}: starting', flush=True)
                shown = 0
                while process.poll() is None and not self._stopped.wait(POLL_SECONDS):
                    memory = max(memory, resident_mb(process.pid))
                    shown = show_progress(name, work_dir, epochs, shown)
            finally:
                process.terminate()
                process.wait()
                spent = before.and_then((time.monotonic() - begin) / 60, memory)
                write_whole(state, json.dumps(asdict(spent)))
        if self._stopped.is_set():
            raise TrainingError(f'training {name} was stopped; it can go on from its last epoch')
        if process.returncode:
            tail = ''.join(log.read_text().splitlines(True)[-15:])
            raise TrainingError(f'training {name} failed; all of its log: {log}; its end:\n{tail}')
        return spent


def run_dir(name: str, config: Config, data: str, folder: Path) -> Path:
    """The training's own: it belongs to all that its result depends on, apart from the code.

    Args:
        data: the digest of what it trains on and is evaluated on, see :mod:`.data_digest`.
    """
    text = config.pretty_text + data
    return Path(folder) / f'{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}'


# --- what is finished -----------------------------------------------------------------------------


def finish(work_dir: Path, spent: Spent) -> dict:
    """The fields of a finished :class:`Training`, apart from its files, for JSON."""
    on_gpu = max((row.get('memory', 0) for row in scalars(work_dir)), default=0)
    return dict(
        logs=asdict(read_logs(work_dir)),
        spent=asdict(Spent(round(spent.minutes, 2), on_gpu or spent.memory_mb)),
        memory_of='GPU' if on_gpu else 'process',
        **made_with(read_whole(work_dir / STARTS)),
    )


def read_finished(work_dir: Path) -> dict | None:
    """The fields that :func:`finish` made, typed; None where the training is to go on."""
    found = read_whole(work_dir / FINISHED)
    if found is None:
        return None
    return found | dict(logs=Logs(**found['logs']), spent=Spent(**found['spent']))


def read_whole(file: Path) -> dict | list | None:
    """A file of JSON; None if there is none, or a half, which is said and made again."""
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        return None
    except ValueError:  # of JSON, and of a text with other bytes
        print(f'{file} was not written whole; it is made again', flush=True)
        return None


def lacks_evaluation(config: Config, logs: Logs) -> bool:
    """Whether the last epoch should have been evaluated, and was not."""
    last, end = logs.evaluations.get('epoch', [])[-1:], config.train_cfg.max_epochs
    asked = bool(config.get('val_cfg')) and config.train_cfg.get('val_begin', 1) <= end
    return asked and last != [end]


# --- reading logs ---------------------------------------------------------------------------------


def scalars(work_dir: Path) -> list[dict]:
    """Rows of MMEngine's scalar logs from the last start that did not resume, oldest first.

    Where a start went on from an earlier checkpoint than the newest, what had come after that is
    left out; so are an unfinished last line and what was evaluated where nothing was trained.
    """
    rows: list[dict] = []
    for log in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        lines = log.read_text().splitlines(True)
        found = [json.loads(line) for line in lines if line.endswith('\n')]
        first = next((row for row in found if 'loss' in row), None)
        if first is None:
            # Of step 0 is an evaluation by itself; that of a resumed training is of its epoch.
            found = [row for row in found if row.get('step')]
        elif begins_anew(first, rows):
            rows = []
        else:
            rows = until(first['step'], rows)
        rows += found
    return rows


def begins_anew(first: Mapping, before: Sequence[Mapping]) -> bool:
    """Whether a log's first training row is that of a start that did not go on with earlier rows.

    Each epoch is logged at least once, so a resumed training begins behind the first row of the one
    that it goes on with; of several that resumed at one checkpoint too. After epoch 1 it begins in
    a later one, which tells where another batch size or interval moved the first row.
    """
    trained = [row for row in before if 'loss' in row]
    if not trained:
        return False
    came_beyond = any(row.get('epoch', 1) > 1 for row in trained)
    return first['step'] <= trained[0]['step'] or (first.get('epoch') == 1 and came_beyond)


def until(step: int, rows: Sequence[Mapping]) -> list[Mapping]:
    """The rows before the first training row of this step or a later one."""
    return list(itertools.takewhile(lambda row: not ('loss' in row and row['step'] >= step), rows))


def read_logs(work_dir: Path) -> Logs:
    evaluations, losses, diagnosis = {}, {}, {}
    for row in scalars(work_dir):
        values = {key: value for key, value in row.items() if '/' in key}
        if any(key.startswith(PREFIX) for key in values):
            own = {key.removeprefix(PREFIX): value for key, value in values.items()}
            diagnosis[row['step']] = dict(iter=row['step'], **own)
        elif 'loss' in row:
            losses[row['epoch']] = dict(epoch=row['epoch'], loss=row['loss'])
        elif values:
            evaluations[row['step']] = dict(epoch=row['step'], **values)
    return Logs(columns(evaluations, 4), columns(losses, 4), columns(diagnosis, 3))


def last_scalars(work_dir: Path, prefix: str) -> dict[str, float]:
    """The newest logged values whose names begin so, by what follows; empty without any."""
    for row in reversed(scalars(work_dir)):
        found = {k.removeprefix(prefix): v for k, v in row.items() if k.startswith(prefix)}
        if found:
            return found
    return {}


def columns(rows: Mapping[int, dict], digits: int) -> dict[str, list]:
    """By name a list in the order of the rows' numbers, None where a row lacks a value.

    Args:
        digits: that floats keep, of which at most as many are decimals.
    """
    ordered = [rows[number] for number in sorted(rows)]
    names = dict.fromkeys(name for row in ordered for name in row)
    return {name: [_rounded(row.get(name), digits) for row in ordered] for name in names}


def _rounded(value: object, digits: int) -> object:
    value = kept(value, digits)
    return float(f'{value:.{digits}g}') if isinstance(value, float) else value


# --- watching processes ---------------------------------------------------------------------------


def show_progress(name: str, work_dir: Path, epochs: int, shown: int) -> int:
    """Print a line once an epoch began to be logged; the epoch that was shown last."""
    rows = [row for row in scalars(work_dir) if 'loss' in row]
    if not rows or rows[-1]['epoch'] <= shown:
        return shown
    epoch = rows[-1]['epoch']
    iters = max(row['iter'] for row in rows) / max(epoch - 0.5, 0.5)
    left = max(epochs - epoch + 0.5, 0) * iters * rows[-1]['time'] / 60
    print(
        f'{name}: epoch {epoch} of {epochs}, loss {rows[-1]["loss"]:.1f}, about {left:.1f} min '
        'left',
        flush=True,
    )
    return epoch


def resident_mb(pid: int) -> int:
    """Largest resident memory that a process had so far, where the system tells."""
    found = _after('VmHWM:', f'/proc/{pid}/status')
    return int(found.split()[0]) // 1024 if found else 0


# --- what a result was made with ------------------------------------------------------------------


def note_start(file: Path, begun: bool) -> None:
    """Before a process starts: its :func:`surroundings`, after those of the earlier ones.

    Args:
        file: of the training's starts.
        begun: a process was started before; if it is not noted, it is ``UNNOTED``.
    """
    before = read_whole(file) or [UNNOTED] * begun
    write_whole(file, json.dumps([*before, surroundings()]))


def made_with(starts: Sequence[Mapping]) -> dict:
    """The :func:`surroundings` of a training, by those of its starts.

    What was another at a later start stands behind the first, as in 'abc1234, def5678'.
    """
    names = dict.fromkeys(name for each in starts for name in each['versions'])
    return dict(
        commit=_different(', ', (each['commit'] for each in starts)),
        versions={
            name: _different(', ', (each['versions'].get(name) for each in starts))
            for name in names
        },
        hardware=_different('; ', (each['hardware'] for each in starts)),
    )


def _different(between: str, values: Iterable[str | None]) -> str:
    """Each once, in the order of their first; without what is not known."""
    return between.join(dict.fromkeys(filter(None, values)))


def surroundings() -> dict:
    """``commit`` of this code, ``versions``, and ``hardware``."""
    git = ['git', '-C', str(PACKAGE), 'describe', '--always', '--dirty', '--exclude=*']
    found = subprocess.run(git, capture_output=True, text=True, check=False)
    commit = found.stdout.strip() or f'mmdet_lrm {version("mmdet_lrm")}'
    # Each package has a distribution of one of several names.
    installed = packages_distributions()
    packages = {
        name: version(installed[name][0])
        for name in ('mmdet', 'mmengine', 'mmcv')
        if name in installed
    }
    if torch.cuda.is_available():
        hardware = f'{torch.cuda.device_count()} x {torch.cuda.get_device_name()}'
    else:
        processor = _after('model name\t:', '/proc/cpuinfo') or platform.processor()
        hardware = f'CPU, {os.cpu_count()} cores, {processor}'
    versions = dict(python=platform.python_version(), torch=torch.__version__, **packages)
    return dict(commit=commit, versions=versions, hardware=hardware)


def _after(prefix: str, file: str) -> str:
    """The rest of the first line of a system's file that begins so; '' where there is none."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return ''
    found = (line.removeprefix(prefix).strip() for line in lines if line.startswith(prefix))
    return next(found, '')
