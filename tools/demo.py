"""Train the tiny YOLOv2 without and with Loss Rank Mining, compare both, draw what is mined.

python tools/demo.py                          on a data set that it draws itself
python tools/demo.py --data path/to/kitti     on KITTI, laid out by tools/prepare_kitti.py

What is finished is not repeated: run the same command again to go on where it was interrupted.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from mmengine.config import Config

from mmdet_lrm.study import runs

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
METHODS = {'baseline': 'yolov2-tiny_kitti', 'LRM': 'yolov2-tiny_lrm_kitti'}
# Both methods get these, so that both trainings end within minutes on two CPU cores: two thirds of
# the tiny config's input size, and a schedule of its own. The drawn scenes are simple enough.
DRAWN_SCALE = (416, 128)
DRAWN_EPOCHS = 10
NUM_TRAIN, NUM_VAL = 200, 60
SCORE_THR = 0.3  # of the detections in the picture


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--data', type=Path, metavar='KITTI', help='a KITTI tree to train on')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/demo'), help='results go here')
    parser.add_argument('--seed', type=int, default=0, help='of the drawing and of both trainings')
    parser.add_argument('--epochs', type=int, help="in place of the schedule's own")
    parser.add_argument('--num-train', type=int, default=NUM_TRAIN, help='drawn images to train on')
    parser.add_argument('--num-val', type=int, default=NUM_VAL, help='drawn images to evaluate')
    args = parser.parse_args(arguments)
    if args.epochs is not None and args.epochs < 1:
        parser.error(f'--epochs is {args.epochs}; it must be at least 1')
    return args


def demo_config(name: str, args: argparse.Namespace) -> Config:
    """The shipped config with what the demo changes, the same for both methods."""
    config = Config.fromfile(CONFIGS / f'{name}.py')
    epochs = args.epochs or (config.max_epochs if args.data else DRAWN_EPOCHS)
    options = {
        'randomness.seed': args.seed,
        'train_cfg.max_epochs': epochs,
        'train_cfg.val_interval': epochs,
        'param_scheduler.1.begin': min(1, epochs - 1),
        'param_scheduler.1.end': epochs,
        'param_scheduler.1.T_max': max(epochs - 1, 1),
        'default_hooks.logger.interval': 5,
        # The last epoch of both is compared, so the best is not kept.
        'default_hooks.checkpoint.save_best': None,
    }
    if not args.data:
        options |= drawn_options(config)
    config.merge_from_dict(options)
    return config


def drawn_options(config: Config) -> dict:
    """What the drawn images need besides: a small input, and priors of the size they have in it."""
    shrink = DRAWN_SCALE[0] / config.img_scale[0]
    sizes = config.model.bbox_head.anchor_generator.base_sizes[0]
    return {
        'train_dataloader.dataset.pipeline.2.scale': DRAWN_SCALE,
        'val_dataloader.dataset.pipeline.1.scale': DRAWN_SCALE,
        'test_dataloader.dataset.pipeline.1.scale': DRAWN_SCALE,
        'model.bbox_head.anchor_generator.base_sizes': [
            [tuple(round(side * shrink, 1) for side in size) for size in sizes]
        ],
        # A step costs little on so small an input: more of them with fewer images learn faster.
        'train_dataloader.batch_size': 4,
        'param_scheduler.0.end': 60,
    }


def main() -> None:
    args = parse_args()
    start = time.monotonic()
    data = args.data.resolve() if args.data else args.out.resolve() / 'drawn'
    if args.data is None:
        from mmdet_lrm.kitti.drawing import draw_kitti

        try:
            draw_kitti(data, args.num_train, args.num_val, args.seed)
        except (ValueError, FileExistsError) as error:
            sys.exit(f'error: {error}')
    elif not (data / 'ImageSets' / 'train.txt').is_file():
        sys.exit(
            f'error: {data} has no ImageSets/train.txt; --data needs a KITTI tree as '
            'tools/prepare_kitti.py makes it'
        )
    os.environ['KITTI_ROOT'] = str(data)
    configs = {name: demo_config(config, args) for name, config in METHODS.items()}
    trained = {
        name: runs.train(name, config, runs.run_dir(name, config, args.out / 'runs'))
        for name, config in configs.items()
    }
    table = markdown_table(trained)
    (args.out / 'table.md').write_text(table)
    picture = args.out / 'demo.png'
    files = {name: (run['config'], run['checkpoint']) for name, run in trained.items()}
    draw_picture(files, picture)
    print(f'\nAP40 and AP11 in percent, {data.name}, seed {args.seed}; one seed proves nothing.\n')
    print(table)
    print(f'Table, picture: {args.out / "table.md"}, {picture}')
    print(f'{(time.monotonic() - start) / 60:.1f} minutes in all')


def markdown_table(runs: dict[str, dict]) -> str:
    """One row a method: moderate AP40 / AP11 of each class and their mean, training minutes."""
    columns = [('Car', 'Car_moderate'), ('Pedestrian', 'Pedestrian_moderate')]
    columns += [('Cyclist', 'Cyclist_moderate'), ('mean', 'moderate')]
    lines = [
        '| moderate AP40 / AP11 | ' + ' | '.join(title for title, _ in columns) + ' | minutes |',
        '| --- |' + ' ---: |' * (len(columns) + 1),
    ]
    for name, run in runs.items():
        cells = [
            ' / '.join(f'{run["metrics"][f"kitti/{key}_{ap}"]:.1f}' for ap in ('AP40', 'AP11'))
            for _, key in columns
        ]
        lines.append(f'| {name} | ' + ' | '.join(cells) + f' | {run["minutes"]:.1f} |')
    return '\n'.join(lines) + '\n'


def draw_picture(runs: dict[str, tuple[Path, Path]], path: Path) -> None:
    """Truths, each method's detections, and the priors that LRM mines, of one evaluated image."""
    import mmcv
    from mmdet.apis import inference_detector, init_detector
    from mmdet.registry import DATASETS

    from mmdet_lrm.mining import pictures

    models = {name: init_detector(*map(str, run), device='cpu') for name, run in runs.items()}
    dataset = models['LRM'].cfg.val_dataloader.dataset
    # For evaluation annotations stay in the pixels of the file; mining needs them resized.
    load, resize, annotations, pack = dataset.pipeline
    dataset.pipeline = [load, annotations, resize, pack]
    dataset = DATASETS.build(dataset)
    counts = [len(dataset.get_cat_ids(index)) for index in range(len(dataset))]
    index = counts.index(max(counts))
    info, sample = dataset.get_data_info(index), dataset[index]
    image = mmcv.imread(info['img_path'], channel_order='rgb')
    classes, palette = dataset.metainfo['classes'], dataset.metainfo['palette']

    truths = info['instances']
    panels = [
        (
            'truths (grey: ignored)',
            pictures.draw_boxes(
                image,
                [each['bbox'] for each in truths],
                ['' if each['ignore_flag'] else classes[each['bbox_label']] for each in truths],
                [
                    pictures.IGNORED if each['ignore_flag'] else palette[each['bbox_label']]
                    for each in truths
                ],
            ),
        )
    ]
    for name, model in models.items():
        found = inference_detector(model, info['img_path']).pred_instances.numpy()
        found = found[found.scores >= SCORE_THR]
        labels = [
            f'{classes[label]} {score:.2f}'
            for label, score in zip(found.labels, found.scores, strict=True)
        ]
        colours = [palette[label] for label in found.labels]
        panels.append(
            (
                f'{name}: detections with score >= {SCORE_THR}',
                pictures.draw_boxes(image, found.bboxes, labels, colours),
            )
        )
    mined = pictures.mined_priors(models['LRM'], sample)
    title = f'LRM: {len(mined.centers)} of {mined.num_priors} priors train'
    title += ' (green: positives, red: hard negatives)'
    panels.append((title, pictures.draw_mined(image, mined)))
    mmcv.imwrite(pictures.side_by_side(panels)[..., ::-1], str(path))


if __name__ == '__main__':
    runs.interruptible(main)
