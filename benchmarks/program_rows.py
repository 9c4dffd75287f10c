"""What whole programs cost: importing the package, and evaluating KITTI's files."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mmdet_lrm.study.performance import Row

GROUP = 'programs'
ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / 'tools' / 'kitti_eval.py'
IMPORT = """
import time, warnings
warnings.simplefilter('ignore')
import mmdet.models, mmdet.datasets, mmdet.evaluation, mmdet.engine, mmdet.visualization
begin = time.process_time()
import mmdet_lrm
print(1000 * (time.process_time() - begin))
"""
# A process begins with the memory of the one that starts it, which counts to its largest: so a
# small one stands between.
MEASURED = """
import json, os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
code = os.waitstatus_to_exitcode(status)
print(json.dumps([code, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""
NUM_FRAMES = 3769
LINE = '{} -1 -1 -10 {:.2f} {:.2f} {:.2f} {:.2f} -1 -1 -1 -1000 -1000 -1000 -10 {:.4f}\n'
LABEL = '{} 0.00 0 -10 {:.2f} {:.2f} {:.2f} {:.2f} 1.5 1.6 3.9 1.0 1.5 20.0 0.00\n'
KINDS = ('Car', 'Pedestrian', 'Cyclist')


def of_import(rounds: int, quick: bool) -> Iterator[Row]:
    """On top of what is imported of MMDetection anyway, from the bytes that Python keeps."""
    command, kept = [sys.executable, '-c', IMPORT], os.environ | {'PYTHONDONTWRITEBYTECODE': ''}
    taken = [
        float(subprocess.check_output(command, env=kept, text=True).splitlines()[-1])
        for _ in range(2 if quick else 6)
    ][1:]  # the first one may have to compile
    limit = 'its modules, and matplotlib where pictures are drawn'
    yield Row(GROUP, 'import mmdet_lrm after mmdet', statistics.median(taken), limit, bar=40)


def of_evaluation(rounds: int, quick: bool) -> Iterator[Row]:
    """The whole process of tools/kitti_eval.py on 3,769 frames of invented boxes."""
    for number in (10,) if quick else (10, 100):
        with tempfile.TemporaryDirectory() as folder:
            truths, found = (Path(folder) / name for name in ('label_2', 'results'))
            write_frames(truths, found, number)
            cpu, mib = spent([sys.executable, str(PROGRAM), str(truths), str(found)])
        what = f'kitti_eval.py, {NUM_FRAMES} frames of {number} detections'
        yield Row(GROUP, what, cpu, 'reading text, start of Python and numpy', 's')
        yield Row(GROUP, f'{what}, memory', mib, 'the boxes of all frames', 'MiB', bar=400)


def write_frames(truths: Path, found: Path, number: int) -> None:
    rng = np.random.default_rng(0)
    for folder in (truths, found):
        folder.mkdir()
    for frame in range(NUM_FRAMES):
        boxes = rng.uniform(0, 300, (number, 4)).round(2)
        boxes[:, 2:] += boxes[:, :2]
        kinds = rng.choice(KINDS, number)
        rows = list(zip(kinds, boxes, rng.uniform(0, 1, number), strict=True))
        lines = [LINE.format(kind, *box, score) for kind, box, score in rows]
        (found / f'{frame:06d}.txt').write_text(''.join(lines))
        lines = [LABEL.format(kind, *(box + 3)) for kind, box, _ in rows[:8]]
        (truths / f'{frame:06d}.txt').write_text(''.join(lines))


def spent(command: list[str]) -> tuple[float, float]:
    """CPU seconds and the largest resident memory in MiB of a process."""
    done = subprocess.check_output([sys.executable, '-S', '-c', MEASURED, *command], text=True)
    code, seconds, largest = json.loads(done.splitlines()[-1])
    if code:
        raise RuntimeError(f'{" ".join(command)} ended with {code}')
    unit = 1 if sys.platform == 'darwin' else 1024  # bytes there, kilobytes here
    return seconds, largest * unit / 2**20


ROWS = (of_import, of_evaluation)
