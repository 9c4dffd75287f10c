"""What it costs that nothing is lost: seeding, and checkpoints that are whole at any moment.

python tools/dev/time_training_parts.py             time, record, and write the table
python tools/dev/time_training_parts.py --render    the table of the record

Seconds are those of one thread on the CPU; waits for the disk are not in them. What is compared is
timed in turn, so that whatever else the machine does hits both.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from toy_parts import toy_parts
from toy_training import toy_runner
from written_tables import put_table, record_of, write_record

import mmdet_lrm
from mmdet_lrm.kitti.drawing import draw_kitti
from mmdet_lrm.study.plan import environment
from mmdet_lrm.training.seeding import Placed, RepeatableRandomHook, seeded_items

RECORD, TABLE = 'training_parts', 'costs'
NUM_IMAGES, ROUNDS = 8, 9
KEPT = dict(interval=1, max_keep_ckpts=2, save_param_scheduler=False)
Work = Callable[[], object]


def rows(rounds: int = ROUNDS) -> list[dict]:
    """Of each part: its name, seconds ``ours`` and of its ``peer``, and their ``ratio``."""
    init_default_scope('mmdet')
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = [timed(*part, rounds) for part in parts(Path(folder))]
    torch.set_num_threads(threads)
    return found


def parts(folder: Path) -> Iterator[tuple[str, Work, Work]]:
    """Names, with what is ours and what it is measured by."""
    draw_kitti(folder / 'kitti', NUM_IMAGES, 1)
    with environment(dict(KITTI_ROOT=str(folder / 'kitti'))):
        config = Config.fromfile(mmdet_lrm.config('yolov2-tiny_kitti'))
    dataset = DATASETS.build(config.train_dataloader.dataset)
    indices, nothing = [Placed(index) for index in range(NUM_IMAGES)], [None] * NUM_IMAGES
    yield (
        f'seeding {NUM_IMAGES} images, by loading and augmenting them',
        lambda: seeded_items(nothing, 0, indices),
        lambda: [dataset[index] for index in indices],
    )
    model, batch = MODELS.build(config.model), pseudo_collate([dataset[0]] * NUM_IMAGES)
    hook, runner = RepeatableRandomHook(), SimpleNamespace(seed=0, iter=0)
    yield (
        f'seeding a step, by a step of `yolov2-tiny_kitti` with {NUM_IMAGES} images',
        lambda: hook.before_train_iter(runner, 0),
        lambda: step(model, batch),
    )
    yield (
        'a checkpoint of it by `SafeCheckpointHook`, by `CheckpointHook`',
        saving('SafeCheckpointHook', config.model, folder / 'ours'),
        saving('CheckpointHook', config.model, folder / 'peer'),
    )


def step(model: torch.nn.Module, batch: dict) -> None:
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    model.parse_losses(losses)[0].backward()


def saving(hook: str, model: dict, folder: Path) -> Work:
    """Write the next checkpoint of a model with momentum, and remove one that is outdated."""
    runner = toy_runner(
        folder,
        parts=lambda: toy_parts()._replace(model=MODELS.build(model)),
        hooks=dict(checkpoint=dict(type=hook, **KEPT)),
    )
    for weight in runner.model.parameters():
        weight.grad = torch.zeros_like(weight)
    runner.train_loop  # noqa: B018  builds it
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.optim_wrapper.step()
    (saver,) = runner._hooks = [each for each in runner.hooks if type(each).__name__ == hook]
    saver.before_train(runner)
    steps = count(1)
    return lambda: saver._save_checkpoint_with_step(runner, next(steps), meta=dict(epoch=1))


def timed(name: str, ours: Work, peer: Work, rounds: int) -> dict:
    seconds = [], []
    for _ in range(rounds + 1):
        for taken, work in zip(seconds, (ours, peer), strict=True):
            begin = time.thread_time()
            work()
            taken.append(time.thread_time() - begin)
    own, others = (taken[1:] for taken in seconds)  # the first one warms up
    ratio = median(one / other for one, other in zip(own, others, strict=True))
    return dict(name=name, ours=median(own), peer=median(others), ratio=ratio)


def table(found: list[dict]) -> Iterator[str]:
    yield '| what, by what | the one, ms | the other, ms | ratio |'
    yield '| --- | ---: | ---: | ---: |'
    for row in found:
        one, other = (f'{1000 * row[key]:,.2f}' for key in ('ours', 'peer'))
        yield f'| {row["name"]} | {one} | {other} | {row["ratio"]:.2g} |'


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--rounds', type=int, default=ROUNDS, help='the median is of so many')
    parser.add_argument('--render', action='store_true', help='the table of the record alone')
    args = parser.parse_args()
    if not args.render:
        write_record(RECORD, rows(args.rounds))
    lines = list(table(json.loads(record_of(RECORD).read_text())))
    print('\n'.join(lines))
    put_table(TABLE, lines)


if __name__ == '__main__':
    main()
