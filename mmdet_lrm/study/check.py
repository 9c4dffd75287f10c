"""What is missing for a study, and what it will cost, before anything is trained."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch

from ..errors import UserError
from ..launch import require_data, require_known_parts, require_pretrained
from ..launch.data_check import look_through
from . import cost
from .cost import GB, Cost, Step
from .fairness import StudyError
from .plan import Run
from .tables import short
from .trainings import surroundings

LOADERS = ('train_dataloader', 'val_dataloader')
RATE = 10  # TFLOP/s, in which a cost is told that was measured on another machine
PFLOP = 1e15


def check(plan: Sequence[Run], folder: Path) -> None:
    """Print it.

    Args:
        plan: the runs, of which those of a part alone may be given.
        folder: where the trainings will go.

    Raises:
        StudyError: something is missing; what, is printed.
    """
    print('\n'.join(needed(plan[0].study.needs)), flush=True)
    missing, costs = [], []
    for label, runs in groups(plan).items():
        images, amiss = examine(runs)
        missing += amiss
        print(f'\n{label} and what is compared with it, {len(runs)} runs', flush=True)
        if images is None:
            print('no estimate: how many images there are is not known')
            continue
        config = runs[0].config
        loading = 0.0 if amiss else cost.loading_seconds(config)
        try:
            step = cost.measure(config)
        except torch.OutOfMemoryError as error:
            missing.append(f'GPU memory: {error}'.partition('\n')[0])
            continue
        found = [cost.cost(run.config, step, images, loading) for run in runs]
        costs += found
        print('\n'.join(told(runs, step, images, loading, found)), flush=True)
        missing += too_small(found)
    missing += no_room(folder, costs)
    end(plan, costs, list(dict.fromkeys(missing)))


def groups(plan: Sequence[Run]) -> dict[str, list[Run]]:
    """By label of the baseline, it and what is compared with it, as long as it is in the plan."""
    found: dict[str, list[Run]] = {}
    for run in plan:
        found.setdefault(run.variant.baseline or run.variant.label, []).append(run)
    return found


def needed(needs: Mapping[str, str]) -> list[str]:
    """Lines."""
    return [f'needs {what}: {text}' for what, text in needs.items()]


def examine(runs: Sequence[Run]) -> tuple[tuple[int, int] | None, list[str]]:
    """How many images train and are evaluated, if that is known, and what is missing."""
    config, images, missing = runs[0].config, runs[0].study.images, []
    for run in {run.variant.label: run for run in runs}.values():
        missing += _refused(require_known_parts, run.config)
    missing += _refused(require_pretrained, config.model)
    if absent := _refused(require_data, config, *LOADERS):
        return images, missing + absent
    report = look_through(config, *LOADERS)
    print(report, flush=True)
    counts = tuple(int(report.counts[f'{split} images'][-1]) for split in ('train', 'val'))
    if images not in (None, counts):
        missing.append(
            f'images: {counts[0]} train and {counts[1]} are evaluated here, and the study is of '
            f'{images[0]} and {images[1]}'
        )
    return counts, missing + report.problems


def told(
    runs: Sequence[Run], step: Step, images: tuple[int, int], loading: float, costs: Sequence[Cost]
) -> Iterator[str]:
    """Lines: what was measured, and the arithmetic from there to the hours."""
    config, first = runs[0].config, costs[0]
    width, height = cost.input_size(config)
    mean, _ = cost.areas(config)
    yield (
        f'  measured: {step.seconds / step.images:.3g} s an image of {width} x {height} px, '
        f'{step.flops / step.images / 1e9:.0f} GFLOP,'
    )
    thread = '' if torch.cuda.is_available() else 'one thread of '
    yield f'    in a step of {step.images} on {thread}{surroundings()["hardware"]}'
    if loading:
        yield f'  loading: {loading:.3g} s an image, by all workers together'
    yield (
        f'  a run: {config.train_cfg.max_epochs} epochs x {images[0]} images x {mean:.2f} (mean '
        'area of random sizes)'
    )
    yield (
        f'    + {cost.evaluations(config)} evaluations x {images[1]} images / 3 = '
        f'{short(first.passes)} passes, {short(first.hours)} h here'
    )
    memory = max(each.memory for each in costs)
    yield f'  memory: about {memory / GB:.1f} GB with the largest images of a training'


def too_small(costs: Sequence[Cost]) -> list[str]:
    """What a GPU lacks, if there is one."""
    if not torch.cuda.is_available():
        return []
    has = torch.cuda.get_device_properties(0)
    wants = max(each.memory for each in costs)
    if wants <= has.total_memory:
        return []
    return [
        f'GPU memory: about {wants / GB:.0f} GB, and {has.name} has {has.total_memory / GB:.0f}; '
        'divide train_dataloader.batch_size by a number, and set '
        'optim_wrapper.accumulative_counts to it'
    ]


def no_room(folder: Path, costs: Sequence[Cost]) -> list[str]:
    """What the disk lacks for the checkpoints of all runs."""
    place = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    wants, free = sum(each.disk for each in costs), shutil.disk_usage(place).free
    if wants <= free:
        return []
    return [f'disk: {wants / GB:.0f} GB for checkpoints, and {place} has {free / GB:.0f} free']


def end(plan: Sequence[Run], costs: Sequence[Cost], missing: Sequence[str]) -> None:
    """The sums, and what is missing.

    Raises:
        StudyError: something is.
    """
    hours, flops = sum(each.hours for each in costs), sum(each.flops for each in costs)
    if costs:
        device = 'GPU' if torch.cuda.is_available() else 'CPU'
        print(
            f'\nall {len(costs)} runs, one after the other: {short(hours)} h on this {device}\n'
            f'  {short(flops / PFLOP)} PFLOP, which take {short(flops / RATE / 3.6e15)} h where '
            f'{RATE} TFLOP/s are reached\n'
            f'disk: {sum(each.disk for each in costs) / GB:.0f} GB for checkpoints'
        )
        if device == 'CPU':
            print('This was measured on a CPU. For the hours of a GPU run --check on it.')
        load, cores = os.getloadavg()[0], os.cpu_count()
        if load > cores + 1:
            print(
                f'Other programs were at work (load {load:.0f} on {cores} cores); alone it is less.'
            )
    if not missing:
        print('nothing is missing')
        return
    print('\n' + '\n'.join(f'missing: {line}' for line in missing), flush=True)
    things = '1 thing is' if len(missing) == 1 else f'{len(missing)} things are'
    raise StudyError(f'{things} missing, as listed above')


def _refused(require: object, *arguments: object) -> list[str]:
    """What a requirement says if it is not met."""
    try:
        require(*arguments)
    except UserError as error:
        return [str(error)]
    return []
