"""What a training step costs, and what goes on beside it: layout, memory, hooks, loading."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import torch
from in_turn import compared, in_turn
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MessageHub
from mmengine.visualization import Visualizer
from torch import nn

import mmdet_lrm
from mmdet_lrm.kitti.drawing import draw_kitti
from mmdet_lrm.mining.visualization import MiningVisualizationHook
from mmdet_lrm.study.performance import Row
from mmdet_lrm.study.plan import environment
from mmdet_lrm.study.trainings import KEEP_MEMORY

TRAINING, DATA = 'training', 'data'
STEP = Path(__file__).with_name('thin_step.py')
LRM = dict(type='LRMLoss', hard_ratio=0.25)


def detector(name: str, **head: object) -> nn.Module:
    config = Config.fromfile(mmdet_lrm.config(name))
    config.merge_from_dict({f'model.bbox_head.{key}': value for key, value in head.items()})
    return detector_of(config)


def detector_of(config: Config) -> nn.Module:
    """In training, at random."""
    config.model.backbone.init_cfg = None  # no weights are downloaded
    return MODELS.build(config.model).train()


def of_network(model: nn.Module, images: torch.Tensor) -> Callable[[], object]:
    """Forward and backward of the network alone."""
    parameters = list(model.parameters())

    def run() -> None:
        maps = model.bbox_head(model.extract_feat(images))
        total = sum(each.square().mean() for levels in maps for each in levels)
        # A backbone may have layers behind the last one that is asked for.
        torch.autograd.grad(total, parameters, allow_unused=True)

    return run


def in_layouts(rounds: int, quick: bool) -> Iterator[Row]:
    """Networks forward and backward."""
    names = {'yolov2-tiny_kitti.py': (4, 3, 128, 416)}
    if not quick:
        names |= {
            'yolov2_bccd.py': (2, 3, 320, 416),
            'yolov3-mobilenetv2_bccd.py': (2, 3, 320, 320),
        }
    for name, shape in names.items():
        models = {'default': detector(name)}
        models['channels last'] = detector(name).to(memory_format=torch.channels_last)
        forms = {each: of_network(model, torch.rand(shape)) for each, model in models.items()}
        if name == 'yolov2_bccd.py':  # torch's compiler stops at the padding of the tiny one
            models['compiled'] = detector(name)
            models['compiled'].extract_feat = torch.compile(models['compiled'].extract_feat)
            forms['compiled'] = of_network(models['compiled'], torch.rand(shape))
        times = in_turn(forms, max(rounds // 3, 3))
        limits = {
            'channels last': 'convolutions, and the backward of batch norm, slower in this layout',
            'compiled': 'the backward',
        }
        for form in list(forms)[1:]:
            what = f'network of {name.removesuffix(".py")}, {form}'
            yield compared(TRAINING, what, times, form, 'default', limits[form])


def with_memory_kept(rounds: int, quick: bool) -> Iterator[Row]:
    """The thin network of the studies, in processes of their own."""
    times = {'memory kept': [], 'as glibc does': []}
    for _ in range(1 if quick else 5):
        times['memory kept'].append(in_child(KEEP_MEMORY))
        times['as glibc does'].append(in_child({}))
    what = 'a step of the thin tiny YOLOv2, freed memory kept'
    yield compared(TRAINING, what, times, *times, 'convolutions: two thirds')


def in_child(variables: Mapping[str, str]) -> float:
    """Milliseconds that a step takes there."""
    kept = {key: value for key, value in os.environ.items() if key not in KEEP_MEMORY}
    command = [sys.executable, str(STEP)]
    done = subprocess.run(command, env=kept | variables, capture_output=True, text=True, check=True)
    return float(done.stdout)


def beside_mining(rounds: int, quick: bool) -> Iterator[Row]:
    """MiningVisualizationHook: its numbers, of which it takes one set in 50 steps; a picture."""
    hook = MiningVisualizationHook()
    with tempfile.TemporaryDirectory() as folder:
        runner = watched('yolov2-tiny_kitti.py', Path(folder))
        batch = pseudo_collate([runner.train_dataloader.dataset[index] for index in range(4)])
        hook.before_train(runner)
        runner.iter = hook.interval  # an iteration that it measures, and does not draw
        with_it, without = step_of(runner.model, batch), step_of(detector_of(runner.cfg), batch)

        def measured() -> None:
            hook.before_train_iter(runner, 0)
            with_it()
            hook.after_train_iter(runner, 0)

        forms = {'measured': measured, 'a step without': without}
        times = in_turn(forms, max(rounds // 3, 3))
        drawn = in_turn({'drawn': lambda: hook.draw(runner), 'a step': without}, 3)
    times['with'] = one_in(hook.interval, times['measured'], times['a step without'])
    what, limit = 'numbers of MiningVisualizationHook', 'the loss once more'
    row = f'a step with the {what}, one set in {hook.interval}'
    yield compared(TRAINING, row, times, 'with', 'a step without', limit, bar=1.05)
    row = f'the step that takes the {what}'
    yield compared(TRAINING, row, times, 'measured', 'a step without', limit)
    row = 'a picture of MiningVisualizationHook'
    limit = f'matplotlib; one in {hook.picture_interval} steps'
    yield compared(TRAINING, row, drawn, *drawn, limit)


def watched(name: str, folder: Path) -> SimpleNamespace:
    """As much of a runner as the hook asks for, with drawn pictures."""
    config = Config.fromfile(mmdet_lrm.config(name))
    config.merge_from_dict({'model.bbox_head.lrm': LRM})
    return SimpleNamespace(
        cfg=config,
        model=detector_of(config),
        train_dataloader=SimpleNamespace(dataset=drawn(name, folder)),
        message_hub=MessageHub.get_instance('watched'),
        visualizer=Visualizer(vis_backends=[dict(type='LocalVisBackend')], save_dir=str(folder)),
    )


def step_of(model: nn.Module, batch: Mapping) -> Callable[[], object]:
    """Forward, loss and backward, of images that are prepared."""
    data, parameters = model.data_preprocessor(batch, True), list(model.parameters())

    def run() -> None:
        losses = model.loss(data['inputs'], data['data_samples'])
        torch.autograd.grad(model.parse_losses(losses)[0], parameters)

    return run


def one_in(interval: int, ones: Sequence[float], others: Sequence[float]) -> list[float]:
    """The mean of a step where one in so many is of the first kind."""
    return [
        (one + (interval - 1) * other) / interval for one, other in zip(ones, others, strict=True)
    ]


def beside_seeding(rounds: int, quick: bool) -> Iterator[Row]:
    """What it costs that nothing is lost."""
    import time_training_parts

    for part in time_training_parts.rows(max(rounds // 3, 3)):
        ours, theirs = 1000 * part['ours'], 1000 * part['peer']
        row = dict(against='see what', theirs=theirs, ratio=part['ratio'])
        yield Row(TRAINING, part['name'], ours, '[reliability](reliability.md)', **row)


def of_loading(rounds: int, quick: bool) -> Iterator[Row]:
    """Images of the training sets, loaded and augmented; the slowest steps say what limits it."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ('yolov2_kitti.py', 'ssd300_bccd.py'):
            dataset = drawn(name, Path(folder)) if 'kitti' in name else found(name)
            yield loading(name, dataset, 2 if quick else 8)


def drawn(name: str, folder: Path) -> object:
    """The training set of a config; drawn pictures where KITTI_ROOT names none."""
    root = os.environ.get('KITTI_ROOT')
    if root is None:
        root = folder / 'kitti'
        draw_kitti(root, 12, 1)
    with environment(dict(KITTI_ROOT=str(root))):
        return found(name)


def found(name: str) -> object:
    return DATASETS.build(Config.fromfile(mmdet_lrm.config(name)).train_dataloader.dataset)


def loading(name: str, dataset: object, passes: int) -> Row:
    """The row of an image, by the steps of its pipeline."""
    steps = dataset.pipeline.transforms
    spent = {f'{number} {type(step).__name__}': [] for number, step in enumerate(steps)}
    for number in range(passes * min(len(dataset), 12)):
        data = dataset.get_data_info(number % min(len(dataset), 12))
        for times, step in zip(spent.values(), steps, strict=True):
            begin = time.process_time()
            data = step(data)
            times.append(1000 * (time.process_time() - begin))
    means = {each.partition(' ')[2]: statistics.mean(times) for each, times in spent.items()}
    total = sum(means.values())
    slowest = sorted(means, key=means.get, reverse=True)[:3]
    limit = ', '.join(f'{each} {100 * means[each] / total:.0f} %' for each in slowest)
    return Row(DATA, f'an image of {name.removesuffix(".py")}', total, limit, bar=10)


ROWS = (in_layouts, with_memory_kept, beside_mining, beside_seeding, of_loading)
