"""Trainings as processes of their own: started, followed, interrupted, resumed, and read again."""

import hashlib
import json
import math
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from mmengine.config import Config

import mmdet_lrm

from ..mining.diagnosis import PREFIX

PACKAGE = Path(mmdet_lrm.__file__).parent
TOOLS = PACKAGE / '.mim' / 'tools'
POLL_SECONDS = 1.0
stop = threading.Event()  # set to end every training that was started here


def train(name: str, config: Config, work_dir: Path) -> dict:
    """Train by tools/train.py, or go on with it, or find the finished training again.

    Args:
        name: of the training, in its lines on the screen.
        config: all of it, seed included.
        work_dir: of this training alone; see :func:`run_dir`.

    Returns:
        A dict that JSON can hold: ``metrics`` of the last evaluation, ``evaluations``, ``losses``
        and ``diagnosis`` (see :func:`read_logs`), ``minutes`` of all its parts,
        ``memory_mb`` and ``memory_of``, ``commit``, ``versions``, ``hardware``, and paths
        ``config``, ``checkpoint``.
    """
    file, done = work_dir / 'config.py', work_dir / 'done.json'
    state = work_dir / 'spent.json'  # of all parts of an interrupted training
    epochs = config.train_cfg.max_epochs
    if not done.exists():
        work_dir.mkdir(parents=True, exist_ok=True)
        config.dump(file)
        command = [sys.executable, str(TOOLS / 'train.py'), str(file), '--resume']
        command += ['--work-dir', str(work_dir)]
        spent = json.loads(state.read_text()) if state.exists() else dict(minutes=0.0, memory=0)
        begin = time.monotonic()
        with open(work_dir / 'train.log', 'a') as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
            memory = spent['memory']
            try:
                memory = max(memory, follow(process, name, work_dir, epochs))
            finally:
                process.terminate()
                process.wait()
                minutes = spent['minutes'] + (time.monotonic() - begin) / 60
                state.write_text(json.dumps(dict(minutes=minutes, memory=memory)))
        if stop.is_set():
            raise KeyboardInterrupt
        if process.returncode:
            tail = ''.join((work_dir / 'train.log').read_text().splitlines(True)[-15:])
            sys.exit(f'{tail}\nerror: training {name} failed; all of its log: {log.name}')
        record = read_logs(work_dir)
        on_gpu = max((row.get('memory', 0) for row in scalars(work_dir)), default=0)
        record |= dict(
            minutes=round(minutes, 2),
            memory_mb=on_gpu or memory,
            memory_of='GPU' if on_gpu else 'process',
            **surroundings(),
        )
        done.write_text(json.dumps(record, indent=1))
    paths = dict(config=file, checkpoint=work_dir / f'epoch_{epochs}.pth')
    return json.loads(done.read_text()) | {key: str(path) for key, path in paths.items()}


def interruptible(main: Callable[[], None]) -> None:
    """Run a program of trainings so that an interruption ends them too, and says how to go on."""
    # Asked to end, the trainings that it started end as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('\ninterrupted; the same command goes on from the last finished epoch')


def require_epochs(config: Config, name: str) -> None:
    """Progress, logs and records are counted in epochs."""
    if config.train_cfg.get('max_epochs') is None:
        sys.exit(
            f'error: {name} trains by iterations (train_cfg has no max_epochs), and this tool '
            "counts epochs; give its train_cfg type='EpochBasedTrainLoop' and max_epochs, and a "
            'schedule by epoch'
        )


def run_dir(name: str, config: Config, folder: Path) -> Path:
    """The training's own: it belongs to all that its result depends on, apart from the code."""
    stamp = Path(config.get('data_root') or '') / 'drawn.json'
    text = config.pretty_text + (stamp.read_text() if stamp.is_file() else '')
    return Path(folder) / f'{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}'


def scalars(work_dir: Path) -> list[dict]:
    """Rows of MMEngine's scalar logs, oldest first; an unfinished last line is left out."""
    rows = []
    for log in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        for line in log.read_text().splitlines(True):
            if line.endswith('\n'):
                rows.append(json.loads(line))
    return rows


def read_logs(work_dir: Path) -> dict:
    """``metrics``, rows of ``evaluations`` and ``losses`` by epoch, ``diagnosis`` by iteration.

    A diagnosis has thousands of values: it is kept as a list for each of them, ``iter`` among them.
    Of an epoch that an interruption made it repeat the later rows count.
    """
    evaluations, losses, diagnosis = {}, {}, {}
    for row in scalars(work_dir):
        values = {key: value for key, value in row.items() if '/' in key}
        if any(key.startswith(PREFIX) for key in values):
            own = {key.removeprefix(PREFIX): value for key, value in values.items()}
            diagnosis[row['step']] = dict(iter=row['step'], **own)
        elif values:
            evaluations[row['step']] = dict(epoch=row['step'], **values)
        elif 'loss' in row:
            terms = {key: value for key, value in row.items() if key.startswith('loss')}
            losses[row['epoch']] = dict(epoch=row['epoch'], **terms)
    evaluations, losses, diagnosis = (
        [rows[key] for key in sorted(rows)] for rows in (evaluations, losses, diagnosis)
    )
    last = evaluations[-1] if evaluations else {}
    metrics = {key: value for key, value in last.items() if key != 'epoch'}
    columns = {key: [kept(row[key], 3) for row in diagnosis] for key in (diagnosis or [{}])[0]}
    return dict(metrics=metrics, evaluations=evaluations, losses=losses, diagnosis=columns)


def rounded(row: dict) -> dict:
    """For records: four digits are more than chance leaves of any metric."""
    return {key: kept(value, 4) for key, value in row.items()}


def kept(value: object, digits: int) -> object:
    """A value for JSON, which has no NaN."""
    if not isinstance(value, float):
        return value
    return round(value, digits) if math.isfinite(value) else None


def surroundings() -> dict:
    """What a result was made with: commit of this code, versions, and the machine."""
    import torch

    git = [
        'git',
        '-C',
        str(Path(mmdet_lrm.__file__).parent),
        'describe',
        '--always',
        '--dirty',
        '--exclude=*',
    ]
    found = subprocess.run(git, capture_output=True, text=True, check=False)
    commit = found.stdout.strip() or f'mmdet_lrm {version("mmdet_lrm")}'
    packages = {name: version(dist) for name, dist in distributions().items()}
    if torch.cuda.is_available():
        hardware = f'{torch.cuda.device_count()} x {torch.cuda.get_device_name()}'
    else:
        hardware = f'CPU, {os.cpu_count()} cores, {processor()}'
    versions = dict(python=platform.python_version(), torch=torch.__version__, **packages)
    return dict(commit=commit, versions=versions, hardware=hardware)


def distributions() -> dict[str, str]:
    """The installed distribution of each package, which has one of several names."""
    from importlib.metadata import packages_distributions

    installed = packages_distributions()
    return {name: installed[name][0] for name in ('mmdet', 'mmengine', 'mmcv') if name in installed}


def processor() -> str:
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor()


def follow(process: subprocess.Popen, name: str, work_dir: Path, epochs: int) -> int:
    """Print one line an epoch until the training ends; its largest resident memory in MB."""
    print(f'{name}: starting', flush=True)
    shown, memory = 0, 0
    while process.poll() is None and not stop.wait(POLL_SECONDS):
        memory = max(memory, resident_mb(process.pid))
        rows = [row for row in scalars(work_dir) if 'loss' in row]
        if not rows or rows[-1]['epoch'] <= shown:
            continue
        shown = rows[-1]['epoch']
        iters = max(row['iter'] for row in rows) / max(shown - 0.5, 0.5)
        left = max(epochs - shown + 0.5, 0) * iters * rows[-1]['time'] / 60
        print(
            f'{name}: epoch {shown} of {epochs}, loss {rows[-1]["loss"]:.1f}, '
            f'about {left:.1f} min left',
            flush=True,
        )
    return memory


def resident_mb(pid: int) -> int:
    """Largest resident memory that a process had so far, where the system tells."""
    try:
        status = Path(f'/proc/{pid}/status').read_text()
    except OSError:
        return 0
    found = [line.split()[1] for line in status.splitlines() if line.startswith('VmHWM')]
    return int(found[0]) // 1024 if found else 0
