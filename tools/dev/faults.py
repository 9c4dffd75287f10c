"""Put faults to a small training by MMEngine's own hooks, then by those of the shipped configs.

python tools/dev/faults.py            print a table, and write it to docs/reliability.md
python tools/dev/faults.py --every 5  only every fifth step of writing is tried

A try is lost if the training cannot be gone on with, or ends otherwise than one without a fault:
by MMEngine's hooks, without the evaluation of each epoch, the last checkpoint, or the best; by the
shipped ones, in any file, or any number of weights, their average, the optimizer or the metrics.
Where it says 'bit for bit', MMEngine's are compared by the numbers as well.
"""

import argparse
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cutting import cut_at, killed_in
from leavings import result
from mmengine.runner import Runner, find_latest_checkpoint
from toy_training import train_apart
from written_tables import put_table

from mmdet_lrm.errors import UserError

OWN = dict(type='CheckpointHook', interval=1, max_keep_ckpts=1, save_best='auto', rule='greater')
WAYS = {
    'before': dict(start=find_latest_checkpoint, hooks=dict(checkpoint=OWN, randomness=None)),
    'now': {},
}


@dataclass(frozen=True)
class Fault:
    """Ways to cut a training off, and what happens to its folder before it goes on."""

    name: str
    cuts: Callable[[int], Iterator[Callable[[Runner], object]]]
    """Of which every nth is tried, until one comes after the end of the training."""
    between: Callable[[Path], Path] = lambda folder: folder
    exact: bool = False


def steps_of_writing(full_disk: bool) -> Callable[[int], Iterator]:
    return lambda every: (cut_at(number, full_disk) for number in itertools.count(0, every))


def calls(method: str, *numbers: int) -> Callable[[int], Iterator]:
    return lambda every: (killed_in(method, number) for number in numbers)


def on_newest(damage: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def apply(folder: Path) -> Path:
        newest = folder / 'epoch_2.pth'
        newest.write_bytes(damage(newest.read_bytes()))
        return folder

    return apply


def on_note(text: str) -> Callable[[Path], Path]:
    def apply(folder: Path) -> Path:
        (folder / 'last_checkpoint').write_text(text)
        return folder

    return apply


def moved(folder: Path) -> Path:
    return folder.rename(folder.with_name(f'{folder.name}-moved'))


MIDDLE = calls('before_train_iter', 7)  # of the third epoch
FAULTS = (
    Fault('SIGKILL at a step of writing a checkpoint', steps_of_writing(False)),
    Fault('the disk is full at such a step, and has room again', steps_of_writing(True)),
    Fault('SIGKILL in an evaluation', calls('after_val_iter', 0, 4, 8)),
    Fault('SIGKILL at an iteration, bit for bit', calls('after_train_iter', *range(9)), exact=True),
    Fault(
        'the newest checkpoint is truncated', MIDDLE, on_newest(lambda old: old[: len(old) // 2])
    ),
    Fault('the newest checkpoint is empty', MIDDLE, on_newest(lambda old: b'')),
    Fault('`last_checkpoint` is empty', MIDDLE, on_note('')),
    Fault('`last_checkpoint` names a deleted file', MIDDLE, on_note('epoch_0.pth')),
    Fault('the work folder was moved', MIDDLE, moved),
)


def outcome(folder: Path, exact: bool) -> object:
    """What a training has left; not exactly: epochs evaluated, the last and the best checkpoint."""
    files, rows, notes = result(folder)
    if exact:
        return files, rows, notes
    best = f'best_toy_score_epoch_{max(rows, key=rows.get)}.pth'
    return list(rows), 'epoch_3.pth' in files, {name for name in files if 'best' in name} == {best}


def is_lost(folder: Path, fault: Fault, expected: object, exact: bool, way: dict) -> bool:
    """After the fault, is what the training has left not what is expected?"""
    folder = fault.between(folder)
    try:
        return train_apart(folder, **way) != 0 or outcome(folder, exact) != expected
    except UserError:  # a checkpoint that it left cannot be read
        return True


def count(fault: Fault, way: str, every: int, work: Path) -> tuple[int, int]:
    """The numbers of tries, and of those that are lost."""
    exact, options = fault.exact or way == 'now', WAYS[way]
    if train_apart(work / 'whole', **options) != 0:
        raise RuntimeError((work / 'whole/log.txt').read_text())
    expected = outcome(work / 'whole', exact)
    tries = lost = 0
    for cut in fault.cuts(every):
        folder = work / str(tries)
        if train_apart(folder, cut, **options) == 0:
            break
        tries += 1
        lost += is_lost(folder, fault, expected, exact, options)
        shutil.rmtree(folder, ignore_errors=True)
    return tries, lost


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--every', type=int, default=1, help='try every Nth step of writing')
    args = parser.parse_args()
    lines = ['| fault | lost before, of tries | lost now, of tries |', '| --- | ---: | ---: |']
    for fault in FAULTS:
        cells = []
        for way in WAYS:
            with tempfile.TemporaryDirectory() as work:
                tries, lost = count(fault, way, args.every, Path(work))
            cells.append(f'{lost} of {tries}')
        lines.append(f'| {" | ".join([fault.name, *cells])} |')
        print(lines[-1], flush=True)
    put_table('faults', lines)


if __name__ == '__main__':
    main()
