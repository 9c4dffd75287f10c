"""A tiny YOLOv2 without and with Loss Rank Mining: two small trainings, a table and a picture."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mmcv
import numpy as np
from mmdet.apis import inference_detector, init_detector
from mmdet.registry import DATASETS
from mmengine.config import Config

from ..kitti.drawing import draw_kitti
from ..launch import LaunchError, config_path
from ..mining import pictures
from ..training.files import write_whole
from .plan import change, environment
from .trainings import Training, Trainings, run_dir

METHODS = {'baseline': 'yolov2-tiny_kitti', 'LRM': 'yolov2-tiny_lrm_kitti'}
# Both methods get these, so that both trainings end within minutes on two CPU cores: two thirds of
# the tiny config's input size, and a schedule of its own. The drawn scenes are simple enough.
DRAWN_SCALE = (416, 128)
DRAWN_EPOCHS = 10
STUDY_EPOCHS = 6  # where several seeds are compared
SCORE_THR = 0.3  # of the detections in the picture
COLUMNS = {
    'Car': 'Car_moderate',
    'Pedestrian': 'Pedestrian_moderate',
    'Cyclist': 'Cyclist_moderate',
    'mean': 'moderate',
}


@dataclass(frozen=True)
class Demo:
    """What is trained, and on what.

    Args:
        data: a KITTI tree; None draws one.
        seed: of the drawing and of both trainings.
        epochs: in place of the schedule's own.
        num_train, num_val: drawn images.
    """

    data: Path | None = None
    seed: int = 0
    epochs: int | None = None
    num_train: int = 200
    num_val: int = 60

    def prepare(self, folder: Path) -> Path:
        """The tree to train on, which is drawn in ``folder`` unless one is given."""
        if self.data is None:
            try:
                return draw_kitti(folder.resolve(), self.num_train, self.num_val, self.seed)
            except (ValueError, FileExistsError) as error:
                raise LaunchError(str(error)) from error
        if not (self.data / 'ImageSets' / 'train.txt').is_file():
            raise LaunchError(
                f'{self.data} has no ImageSets/train.txt; --data needs a KITTI tree as '
                'tools/prepare_kitti.py makes it'
            )
        return self.data.resolve()

    def config(self, name: str, root: Path) -> Config:
        """The shipped config with what the demo changes, the same for both methods."""
        with environment({'KITTI_ROOT': str(root)}):
            config = Config.fromfile(config_path(f'mmdet_lrm::{name}.py'))
        epochs = self.epochs or (config.max_epochs if self.data else DRAWN_EPOCHS)
        options = {
            'randomness.seed': self.seed,
            'train_cfg.max_epochs': epochs,
            'train_cfg.val_interval': epochs,
            'param_scheduler.1.begin': min(1, epochs - 1),
            'param_scheduler.1.end': epochs,
            'param_scheduler.1.T_max': max(epochs - 1, 1),
            'default_hooks.logger.interval': 5,
            # The last epoch of both is compared, so the best is not kept.
            'default_hooks.checkpoint.save_best': None,
        }
        change(config, options | ({} if self.data else drawn_options(config)))
        return config

    def run(self, folder: Path) -> str:
        """Train both, or find them again; ``table.md`` and ``demo.png`` in the folder, and a text.

        Raises:
            LaunchError: the data cannot be drawn, or are no KITTI tree.
            TrainingError: a training failed.
        """
        start = time.monotonic()
        root, trainings, trained = self.prepare(folder / 'drawn'), Trainings(), {}
        for method, stem in METHODS.items():
            config = self.config(stem, root)
            work_dir = run_dir(method, config, folder / 'runs')
            trained[method] = trainings.train(method, config, work_dir)
        table, picture = markdown_table(trained), folder / 'demo.png'
        write_whole(folder / 'table.md', table)
        mmcv.imwrite(draw_picture(trained)[..., ::-1], str(picture))
        return (
            f'\nAP40 and AP11 in percent, {root.name}, seed {self.seed}; one seed proves nothing.\n'
            f'\n{table}\nTable, picture: {folder / "table.md"}, {picture}\n'
            f'{(time.monotonic() - start) / 60:.1f} minutes in all'
        )


def demo_configs(folder: Path) -> list[str]:
    """The demo's two methods with fewer epochs, as files in a folder beside the data they read."""
    demo = Demo(epochs=STUDY_EPOCHS)
    root = demo.prepare(folder / 'drawn')
    configs = folder / 'configs'
    configs.mkdir(parents=True, exist_ok=True)
    for stem in METHODS.values():
        demo.config(stem, root).dump(configs / f'{stem}.py')
    return [str(configs / f'{stem}.py') for stem in METHODS.values()]


def drawn_options(config: Config) -> dict[str, object]:
    """What the drawn images need besides: a small input, and priors of the size they have in it."""
    shrink = DRAWN_SCALE[0] / config.img_scale[0]
    sizes = config.model.bbox_head.anchor_generator.base_sizes[0]
    return {
        'input_size': DRAWN_SCALE,
        'model.bbox_head.anchor_generator.base_sizes': [
            [tuple(round(side * shrink, 1) for side in size) for size in sizes]
        ],
        # A step costs little on so small an input: more of them with fewer images learn faster.
        'train_dataloader.batch_size': 4,
        'param_scheduler.0.end': 60,
    }


def markdown_table(trained: Mapping[str, Training]) -> str:
    """One row a method: moderate AP40 / AP11 of each class and their mean, training minutes."""
    lines = [
        '| moderate AP40 / AP11 | ' + ' | '.join(COLUMNS) + ' | minutes |',
        '| --- |' + ' ---: |' * (len(COLUMNS) + 1),
    ]
    for name, training in trained.items():
        values = training.logs.evaluations
        cells = [
            ' / '.join(f'{values[f"kitti/{key}_{ap}"][-1]:.1f}' for ap in ('AP40', 'AP11'))
            for key in COLUMNS.values()
        ]
        lines.append(f'| {name} | ' + ' | '.join(cells) + f' | {training.spent.minutes:.1f} |')
    return '\n'.join(lines) + '\n'


def draw_picture(trained: Mapping[str, Training]) -> np.ndarray:
    """Truths, each method's detections, and the priors that LRM mines, of one evaluated image.

    Returns:
        RGB, of the evaluated image with most objects.
    """
    models = {
        name: init_detector(str(each.config), str(each.checkpoint), device='cpu')
        for name, each in trained.items()
    }
    dataset = models['LRM'].cfg.val_dataloader.dataset
    # For evaluation annotations stay in the pixels of the file; mining needs them resized.
    load, resize, annotations, pack = dataset.pipeline
    dataset.pipeline = [load, annotations, resize, pack]
    dataset = DATASETS.build(dataset)
    counts = [len(dataset.get_cat_ids(index)) for index in range(len(dataset))]
    index = counts.index(max(counts))
    info = dataset.get_data_info(index)
    image = mmcv.imread(info['img_path'], channel_order='rgb')
    panels = [('truths (grey: ignored)', draw_truths(image, info['instances'], dataset.metainfo))]
    for name, model in models.items():
        found = inference_detector(model, info['img_path']).pred_instances.numpy()
        found = found[found.scores >= SCORE_THR]
        title = f'{name}: detections with score >= {SCORE_THR}'
        panels.append((title, draw_detections(image, found, dataset.metainfo)))
    mined = pictures.mined_priors(models['LRM'], dataset[index])
    title = f'LRM: {len(mined.centers)} of {mined.num_priors} priors train'
    title += ' (green: positives, red: hard negatives)'
    panels.append((title, pictures.draw_mined(image, mined)))
    return pictures.side_by_side(panels)


def draw_truths(image: np.ndarray, truths: list[dict], metainfo: dict) -> np.ndarray:
    classes, palette = metainfo['classes'], metainfo['palette']
    labels, colours = [], []
    for each in truths:
        ignored = each['ignore_flag']
        labels.append('' if ignored else classes[each['bbox_label']])
        colours.append(pictures.IGNORED if ignored else palette[each['bbox_label']])
    return pictures.draw_boxes(image, [each['bbox'] for each in truths], labels, colours)


def draw_detections(image: np.ndarray, found: object, metainfo: dict) -> np.ndarray:
    labels = [
        f'{metainfo["classes"][label]} {score:.2f}'
        for label, score in zip(found.labels, found.scores, strict=True)
    ]
    colours = [metainfo['palette'][label] for label in found.labels]
    return pictures.draw_boxes(image, found.bboxes, labels, colours)
