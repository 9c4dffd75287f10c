"""A tiny YOLOv2 without and with Loss Rank Mining: small trainings, a table and a picture."""

import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import mmcv
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mmdet.apis import inference_detector, init_detector
from mmdet.evaluation.functional import bbox_overlaps
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from torch import nn

from ..colours import BLUE, RED
from ..kitti.drawing import draw_kitti
from ..launch import LaunchError, config_path
from ..mining import pictures
from ..training.files import write_whole
from . import reading, report_page, sources, tables
from .cost import one_thread
from .plan import Run, change, check_start, environment, make_plan
from .records import Record, write_records
from .report import Verdict, verdict
from .runs import run_all
from .trainings import run_dir

BASELINE = 'yolov2-tiny_kitti'
# What gained where objects of a frequent class touch, as the parked cars do that are drawn.
VARIANTS = ('LRM: hard_ratio=0.05 nms_iou_thr=0.7',)
# All trainings get these, so that they end within minutes on two CPU cores: two thirds of the tiny
# config's input size, and a schedule of its own. The drawn scenes are simple enough.
DRAWN_SCALE = (416, 128)
DRAWN_EPOCHS = 8
STUDY_EPOCHS = 6  # of a comparison without a config
SEEDS = 3  # the fewest of which an interval says something
STARTING = 20  # seconds of a training before its first step, and to evaluate its last epoch
COLUMNS = {
    'Car': 'kitti/Car_moderate_AP40',
    'Pedestrian': 'kitti/Pedestrian_moderate_AP40',
    'Cyclist': 'kitti/Cyclist_moderate_AP40',
    'mean': 'kitti/moderate_AP40',
}
SCORE_THR, IOU_THR = 0.3, 0.5  # of what counts as found in the picture
OF_VERDICT = {
    Verdict.GAIN: 'better here, beyond what seeds differ by',
    Verdict.LOSS: 'worse here, beyond what seeds differ by',
    Verdict.CHANCE: '0 lies inside: it may be chance',
    Verdict.ONE_SEED: 'no interval: it may be chance',
}


@dataclass(frozen=True)
class Demo:
    """What is trained, and on what.

    Args:
        data: a KITTI tree; None draws one.
        seeds: trainings of each method.
        epochs: in place of the schedule's own.
        num_train, num_val: drawn images.
    """

    data: Path | None = None
    seeds: int = SEEDS
    epochs: int | None = None
    num_train: int = 200
    num_val: int = 60

    def prepare(self, folder: Path) -> Path:
        """The tree to train on, which is drawn in ``folder`` unless one is given."""
        if self.data is None:
            try:
                return draw_kitti(folder.resolve(), self.num_train, self.num_val, parked=True)
            except (ValueError, FileExistsError) as error:
                raise LaunchError(str(error)) from error
        if not (self.data / 'ImageSets' / 'train.txt').is_file():
            raise LaunchError(
                f'{self.data} has no ImageSets/train.txt; --data needs a KITTI tree as '
                'tools/prepare_kitti.py makes it'
            )
        return self.data.resolve()

    def config(self, root: Path) -> Config:
        """The shipped baseline with what the demo changes, for all methods."""
        with environment({'KITTI_ROOT': str(root)}):
            config = Config.fromfile(config_path(f'mmdet_lrm::{BASELINE}.py'))
        epochs = self.epochs or (config.max_epochs if self.data else DRAWN_EPOCHS)
        options = {
            'train_cfg.max_epochs': epochs,
            'train_cfg.val_interval': epochs,
            'param_scheduler.1.begin': min(1, epochs - 1),
            'param_scheduler.1.end': epochs,
            'param_scheduler.1.T_max': max(epochs - 1, 1),
            'default_hooks.logger.interval': 5,
        }
        change(config, options | ({} if self.data else drawn_options(config)))
        return config

    def baseline(self, folder: Path) -> str:
        """Its config, as a file in a folder beside the data that it reads."""
        file = folder / 'configs' / f'{BASELINE}.py'
        config = self.config(self.prepare(folder / 'drawn'))
        file.parent.mkdir(parents=True, exist_ok=True)
        config.dump(file)
        return str(file)

    def run(self, folder: Path, jobs: int) -> str:
        """Train all, or find them again; files in the folder, and what to print at the end.

        Raises:
            LaunchError: the data cannot be drawn, or are no KITTI tree.
            TrainingError: a training failed.
        """
        begin, before = time.monotonic(), cpu_seconds()
        study = reading.compare([self.baseline(folder)], VARIANTS, seeds=self.seeds)
        plan = check_start(make_plan(study))
        print(f'{len(plan)} trainings, {jobs} at a time: {how_long(plan, jobs)}', flush=True)
        # One thread each: as many trainings at a time as there are cores, and the same digits on
        # machines with more of them.
        with environment({'OMP_NUM_THREADS': '1'}):
            records = run_all(plan, folder, jobs)
        minutes = (cpu_seconds() - before) / 60, (time.monotonic() - begin) / 60
        # On the clock they say how busy the machine was.
        records = [replace(each, minutes=None) for each in records]
        write_records(records, folder / sources.RECORDS)
        table = tables.markdown(records, COLUMNS)
        write_whole(folder / 'table.md', table)
        figure = draw_picture(plan, records, folder)
        write_whole(folder / 'demo.png', pictures.png(figure, dpi=100))
        report = folder / 'report.html'
        report_page.write(sources.of_study(folder / sources.RECORDS, folder, folder), report)
        return (
            f'\n{table}\n{in_words(records)}\n\n{minutes[0]:.1f} CPU minutes, {minutes[1]:.1f} on '
            f'the clock.\nTable: {folder / "table.md"}\nPicture: {folder / "demo.png"}\n'
            f'Report: {report}'
        )


def drawn_options(config: Config) -> dict[str, object]:
    """What the drawn images need besides: a small input, and priors of the size they have in it."""
    shrink = DRAWN_SCALE[0] / config.img_scale[0]
    sizes = config.model.bbox_head.anchor_generator.base_sizes[0]
    return {
        'input_size': DRAWN_SCALE,
        # Half as wide where the maps are large and most of a step's time goes.
        'model.backbone.channels': (8, 16, 32, 64, 128, 256, 256),
        'model.bbox_head.anchor_generator.base_sizes': [
            [tuple(round(side * shrink, 1) for side in size) for size in sizes]
        ],
        # A step costs little on so small an input: more of them with fewer images learn faster.
        'train_dataloader.batch_size': 2,
        'param_scheduler.0.end': 60,
    }


# --- how long it takes ----------------------------------------------------------------------------


def cpu_seconds() -> float:
    """Of all processes that were begun here and ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def how_long(plan: Sequence[Run], jobs: int) -> str:
    """Of all trainings, by a step of the first that is done for it."""
    config = plan[0].config
    dataset = DATASETS.build(config.train_dataloader.dataset)
    steps = config.train_cfg.max_epochs * -(-len(dataset) // config.train_dataloader.batch_size)
    minutes = minutes_of(len(plan), jobs, steps, seconds_of_step(config, dataset))
    return f'about {max(minutes, 1):.0f} min if this machine stays as busy as it is'


def minutes_of(num_runs: int, jobs: int, steps: int, seconds: float) -> float:
    """On the clock, of runs of so many steps of so many seconds, some at a time."""
    return -(-num_runs // jobs) * (STARTING + steps * seconds) / 60


def seconds_of_step(config: Config, dataset: Sequence) -> float:
    """On the clock and on one thread: images loaded, forward, backward; the median of five."""
    model, size = MODELS.build(config.model), config.train_dataloader.batch_size
    taken = []
    with one_thread():
        for number in range(6):
            begin = time.monotonic()
            batch = [dataset[(size * number + index) % len(dataset)] for index in range(size)]
            losses = model(**model.data_preprocessor(pseudo_collate(batch), True), mode='loss')
            model.parse_losses(losses)[0].backward()
            taken.append(time.monotonic() - begin)
    return median(taken[1:])


# --- what it found --------------------------------------------------------------------------------


def in_words(records: Sequence[Record]) -> str:
    """For who reads it for the first time: what was compared, what came out, what that means."""
    methods, lines = tables.by_label(records), []
    for title in ('Car', 'Pedestrian', 'Cyclist'):
        change = tables.differences(methods, COLUMNS[title])['LRM']
        lines.append(f'{title + ":":12}{tables.interval(change)}  {OF_VERDICT[verdict(change)]}')
    pairs = f'{change.pairs} pair{"s" if change.pairs > 1 else ""}'
    return (
        f'Average precision (AP40, moderate) in percent, mean and deviation over {pairs} '
        'of trainings. Two of\na pair start from the same weights and see the same images; '
        'LRM learns in each step from the hardest 5 %\nof all places, thinned where they overlap, '
        'the baseline from all. What LRM changes, with its 95 % interval:\n\n'
        + '\n'.join(lines)
        + '\n\nCars are many here and touch, the others are few. On photographs a small share '
        'gained on one set of blood\ncells, where objects of a frequent class touch and are '
        'missed; other cells and KITTI gained nothing, aquariums\nlost, and rare classes want a '
        'quarter or more: see "Does it help?" in the README. Small trainings on drawn\nimages '
        'tell no more.'
    )


# --- the picture ----------------------------------------------------------------------------------


def draw_picture(plan: Sequence[Run], records: Sequence[Record], folder: Path) -> Figure:
    """What the first pair finds in the evaluated image with most objects, and what LRM mines."""
    pair = zip(plan[:2], records[:2], strict=True)
    plain, mined = (load(run, record, folder) for run, record in pair)
    info, sample = crowded(plain.cfg.val_dataloader.dataset)
    figure = Figure(figsize=(12, 12.4), layout='constrained')
    above, middle, below = figure.subplots(3, 1)
    places = draw_places(middle, pictures.mined_image(mined, sample))
    draw_found(above, plain, info, f'1. Trained on all {places:,} places of an image')
    draw_found(below, mined, info, '3. Trained on the hard ones')
    boxes = [
        Line2D([], [], color=color, linestyle=style, linewidth=3, label=name)
        for name, (color, style) in OF_BOX.items()
    ]
    figure.legend(handles=[*boxes, *pictures.legend()[:4]], loc='outside lower center', ncols=3,
                  fontsize=14, frameon=False)  # fmt: skip
    return figure


def crowded(part: Config) -> tuple[dict, dict]:
    """Of a data set's config the image with most objects: what is known of it, and the sample."""
    dataset = DATASETS.build(part)
    counts = [len(dataset.get_cat_ids(index)) for index in range(len(dataset))]
    info = dataset.get_data_info(counts.index(max(counts)))
    return info, pictures.annotated_pipeline(part.pipeline)(dict(info))


OF_BOX = {
    'object that is found': (BLUE, '-'),
    'object that is missed': ('black', '--'),
    'false detection': (RED, '-'),
}


def load(run: Run, record: Record, folder: Path) -> nn.Module:
    work_dir = run_dir(run.name, run.config, record.data, folder / 'runs')
    weights = work_dir / f'epoch_{run.config.train_cfg.max_epochs}.pth'
    return init_detector(str(work_dir / 'config.py'), str(weights), device='cpu')


def draw_places(axes: Axes, mined: pictures.MinedImage) -> int:
    """What trains, as :func:`.pictures.draw_kept`; the number of all."""
    pictures.draw_kept(axes, mined, size=4)
    axes.set_axis_off()
    axes.set_title('')
    axes.set_title(
        f'2. Loss Rank Mining learns from the {mined.kept.sum()} hardest in each step',
        fontsize=17, loc='left',
    )  # fmt: skip
    return len(mined.loss)


def draw_found(axes: Axes, model: nn.Module, info: Mapping, title: str) -> None:
    pictures.show(axes, mmcv.imread(info['img_path'], channel_order='rgb'))
    found = inference_detector(model, info['img_path']).pred_instances.numpy()
    found = found[found.scores >= SCORE_THR]
    truths = [each for each in info['instances'] if not each['ignore_flag']]
    ignored = [each['bbox'] for each in info['instances'] if each['ignore_flag']]
    boxes = np.array([each['bbox'] for each in truths], np.float32)
    labels = np.array([each['bbox_label'] for each in truths])
    hit, false = matched(boxes, labels, np.array(ignored, np.float32).reshape(-1, 4), found)
    for name, part in zip(OF_BOX, (boxes[hit], boxes[~hit], found.bboxes[false]), strict=True):
        color, style = OF_BOX[name]
        for box in part:
            pictures.draw_box(axes, box, edgecolor='white', linewidth=3.5)
            pictures.draw_box(axes, box, edgecolor=color, linestyle=style, linewidth=2)
    axes.set_axis_off()
    title += f': {hit.sum()} of {len(truths)} objects found, {false.sum()} false'
    axes.set_title(title, fontsize=17, loc='left')


def matched(
    boxes: np.ndarray, labels: np.ndarray, ignored: np.ndarray, found: InstanceData
) -> tuple[np.ndarray, np.ndarray]:
    """Which truths (G,) a detection of their class covers, and which detections (D,) are false.

    A detection in an ignored region is not false.
    """
    covers = bbox_overlaps(boxes, found.bboxes) >= IOU_THR
    covers &= labels[:, None] == found.labels
    excused = bbox_overlaps(found.bboxes, ignored, mode='iof') >= IOU_THR
    return covers.any(axis=1), ~covers.any(axis=0) & ~excused.any(axis=1)
