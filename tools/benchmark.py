"""Compare variants of a detector with its baseline over several seeds, and make the table.

python tools/benchmark.py
    the demo's data, drawn here: tiny YOLOv2 without and with LRM, three seeds
python tools/benchmark.py NAME configs/yolov2-tiny_kitti.py configs/yolov2-tiny_lrm_kitti.py \\
        --data-root data/kitti --seeds 3
    a baseline, and any number of variants
python tools/benchmark.py NAME configs/yolov2-tiny_kitti.py --grid hard_ratio=0.1,0.25,0.5 \\
        --data-root data/kitti --seeds 3
    "which ratio for my data?": options of `lrm`, in all combinations, and a recommendation
python tools/benchmark.py NAME configs/yolov2-tiny_kitti.py --data-root data/kitti \\
        --variants "hard_ratio=0.25 element=cell" "lighter: model.bbox_head.noobject_scale=0.5"
    each text a variant: options of `lrm`, and, with dots, any keys of the config; its name in the
    table stands before a colon, or is the text
python tools/benchmark.py --render
    the tables in the documents, from the recorded results

What is finished is not repeated: the same command goes on where it was interrupted, and takes more
seeds or variants in. Runs go to work_dirs/benchmark/NAME, records to results/NAME.json.
"""

import argparse
import ast
import itertools
import json
import os
import pickle
import re
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmdet.registry import DATASETS
from mmengine.config import Config, ConfigDict
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from mmdet_lrm.launch import Settings, config_path, find_datasets, require_data, require_file
from mmdet_lrm.study import images, plots, runs, tables
from mmdet_lrm.study.fairness import UnfairError, check_fair, initial_weights

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ('README.md', 'configs/README.md', 'docs/*.md')
# The picture of a kind that a document shows of the runs in results/NAME.json.
PLOT = re.compile(r'\((plots/([\w-]+)-(\w+)\.png)\)')
ROOT_VARIABLES = ('KITTI_ROOT', 'VOC_ROOT', 'COCO_ROOT', 'BCCD_ROOT', 'DATA_ROOT')
DEMO_EPOCHS = 6
# The metric that decides, and the columns of the table, by what the evaluator calls its metrics.
COLUMNS = {
    'kitti/moderate_AP40': {
        'mean AP40': 'kitti/moderate_AP40',
        'easy': 'kitti/easy_AP40',
        'hard': 'kitti/hard_AP40',
        'Car': 'kitti/Car_moderate_AP40',
        'Pedestrian': 'kitti/Pedestrian_moderate_AP40',
        'Cyclist': 'kitti/Cyclist_moderate_AP40',
    },
    'coco/bbox_mAP': {
        'AP': 'coco/bbox_mAP',
        'AP50': 'coco/bbox_mAP_50',
        'small': 'coco/bbox_mAP_s',
        'medium': 'coco/bbox_mAP_m',
        'large': 'coco/bbox_mAP_l',
    },
    'voc/mAP': {'mAP': 'voc/mAP'},
}


class Variant(NamedTuple):
    """A method of the comparison."""

    label: str
    config: str  # stem of its file
    options: dict  # what is changed in the file, as --cfg-options


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('name', nargs='?', default='demo', help='of the results')
    parser.add_argument('configs', nargs='*', help='the baseline, then its variants')
    parser.add_argument(
        '--grid',
        nargs='+',
        default=[],
        metavar='KEY=A,B',
        help="options of `lrm` for the baseline's config, in all combinations",
    )
    parser.add_argument(
        '--variants',
        nargs='+',
        default=[],
        metavar='"[NAME:] KEY=A KEY=B"',
        help="the baseline's config with options of `lrm`, or with dotted keys of the config",
    )
    parser.add_argument('--seeds', type=int, default=3, help='number of seeds, from 0 on')
    parser.add_argument('--data-root', type=Path, help="folder of the data, for the configs'")
    parser.add_argument('--jobs', type=int, default=1, help='trainings at a time')
    parser.add_argument(
        '--last',
        type=int,
        default=1,
        metavar='K',
        help='metrics are the mean of the last K epochs, which calms small sets',
    )
    parser.add_argument(
        '--differ',
        nargs='+',
        default=['model.bbox_head.lrm'],
        metavar='KEY',
        help='keys of the config that the table compares; no others may differ',
    )
    parser.add_argument(
        '--overlay',
        type=Path,
        metavar='FILE.py',
        help='a config that is laid over that of every run, for instance a smaller input',
    )
    parser.add_argument('--cfg-options', nargs='+', action=Settings, help='of all runs alike')
    parser.add_argument('--bootstrap', type=int, default=200, help='drawings of images; 0 for none')
    parser.add_argument(
        '--diagnose',
        type=int,
        metavar='N',
        help='record every N iterations of the first seed who carries the gradient, as '
        'tools/diagnose.py does',
    )
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/benchmark'))
    parser.add_argument('--results', type=Path, default=Path('results'), help='folder of records')
    parser.add_argument('--render', action='store_true', help="only make the documents' tables")
    args = parser.parse_args(arguments)
    if args.name.endswith('.py'):
        parser.error(f"the results need a name before the configs, and '{args.name}' is a config")
    for key in ('seeds', 'jobs', 'last'):
        if getattr(args, key) < 1:
            parser.error(f'--{key} is {getattr(args, key)}; it must be at least 1')
    has_options = args.grid or args.variants
    if has_options and not args.configs:
        parser.error('--grid and --variants need a config, the baseline')
    if not has_options and len(args.configs) == 1:
        parser.error('a baseline alone compares nothing; give another config, --variants or --grid')
    return args


def main() -> None:
    args = parse_args()
    if args.render:
        render_documents()
        return
    # Models say how each of their layers is initialised, which here is told for every run.
    MMLogger.get_instance('benchmark', log_level='WARNING')
    folder = args.work_dir / args.name
    if args.configs:
        variants = read_variants(args)
        require_data(load(variants[0], args, seed=0), 'train_dataloader', 'val_dataloader')
    else:
        variants = draw_demo(args, folder)
    plan = make_plan(variants, args)
    records = run_all(plan, args, folder)
    file = args.results / f'{args.name}.json'
    tables.write_records(records, file)
    report(records, args, folder, file)


# --- what is compared -----------------------------------------------------------------------------


def read_variants(args: argparse.Namespace) -> list[Variant]:
    """The baseline first."""
    if args.data_root:
        os.environ |= dict.fromkeys(ROOT_VARIABLES, str(args.data_root.resolve()))
    for name in args.configs:
        require_file('config', config_path(name))
    if args.overlay:
        require_file('overlay', args.overlay)
    axes = [
        [(key, value) for value in split_values(listed)]
        for key, listed in (key_and_value('--grid', text) for text in args.grid)
    ]
    chosen = []
    for text in args.variants:
        name, _, listed = text.rpartition(': ')
        chosen.append((name, [key_and_value('--variants', part) for part in listed.split()]))
    chosen += [('', options) for options in itertools.product(*axes)] if axes else []
    variants = [
        *(Variant(Path(name).stem, name, {}) for name in args.configs),
        *(changed(args.configs[0], name, options) for name, options in chosen),
    ]
    for label, times in Counter(variant.label for variant in variants).items():
        if times > 1:
            sys.exit(f"error: {times} variants are called '{label}'; give each its own name")
    return variants


def changed(config: str, name: str, options: Sequence[tuple[str, str]]) -> Variant:
    """A config with keys of its own, which have a dot, and options of ``lrm``, which have none.

    Without a name it is called by its options.
    """
    values = {key: parse(value) for key, value in options}
    mining = {key: value for key, value in values.items() if '.' not in key}
    changes = {key: value for key, value in values.items() if '.' in key}
    if mining:
        changes['model.bbox_head.lrm'] = dict(type='LRMLoss') | mining
    return Variant(name or ' '.join(f'{key}={value}' for key, value in options), config, changes)


def key_and_value(argument: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition('=')
    if not equals or not value:
        sys.exit(f"error: {argument} has '{text}'; give KEY=VALUE such as hard_ratio=0.25")
    return key, value


def split_values(text: str) -> list[str]:
    """At the commas outside of brackets."""
    parts, depth = [''], 0
    for letter in text:
        depth += (letter in '[(') - (letter in '])')
        if letter == ',' and not depth:
            parts.append('')
        else:
            parts[-1] += letter
    return parts


def parse(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def draw_demo(args: argparse.Namespace, folder: Path) -> list[Variant]:
    """The demo's data, and its two methods with fewer epochs."""
    import demo

    from mmdet_lrm.kitti.drawing import draw_kitti

    options = demo.parse_args(['--epochs', str(DEMO_EPOCHS)])
    data = (folder / 'drawn').resolve()
    draw_kitti(data, options.num_train, options.num_val, options.seed)
    os.environ['KITTI_ROOT'] = str(data)
    found = []
    for stem in demo.METHODS.values():
        file = folder / 'configs' / f'{stem}.py'
        file.parent.mkdir(parents=True, exist_ok=True)
        demo.demo_config(stem, options).dump(file)
        found.append(Variant(stem, str(file), {}))
    return found


def load(variant: Variant, args: argparse.Namespace, seed: int) -> Config:
    """The config that is trained, apart from the files that its evaluation writes."""
    config = Config.fromfile(config_path(variant.config))
    if args.overlay:
        config.merge_from_dict(Config.fromfile(args.overlay).to_dict())
    config.merge_from_dict(args.cfg_options or {})
    runs.require_epochs(config, variant.config)
    if 'model.bbox_head.lrm' in variant.options and config.model.bbox_head.get('lrm') is not None:
        sys.exit(
            f'error: {variant.config} has an lrm already; --grid and --variants need the baseline'
        )
    config.merge_from_dict(variant.options | {'randomness.seed': seed})
    config.default_hooks.checkpoint.update(save_best=None, max_keep_ckpts=1)
    epochs = config.train_cfg.max_epochs
    first = epochs - args.last + 1
    if first < 1:
        sys.exit(
            f'error: --last is {args.last}, and {variant.config} trains {epochs} epochs; give at '
            'most as many'
        )
    config.train_cfg.dynamic_intervals = [(first, 1)]
    if args.diagnose and seed == 0:
        hook = dict(type='MiningDiagnosisHook', interval=args.diagnose)
        config.custom_hooks = [*config.get('custom_hooks', []), hook]
    return config


def make_plan(variants: list[Variant], args: argparse.Namespace) -> list[tuple]:
    """Variant, seed, config and first weights of every run, after all that can be wrong is checked.

    Seeds come first: whenever the work is interrupted, methods have nearly the same seeds.
    """
    baseline = load(variants[0], args, 0)
    init_default_scope(baseline.get('default_scope', 'mmdet'))
    plan = []
    for seed in range(args.seeds):
        first = None
        for variant in variants:
            config = load(variant, args, seed)
            try:
                named = [*args.differ, *variant.options]
                changes = check_fair(variant.label, config, load(variants[0], args, seed), named)
                weights = initial_weights(config)
            except (UnfairError, ValueError, TypeError, KeyError, FileNotFoundError) as error:
                sys.exit(f'error: {variant.label}: {error}')
            if weights != (first := first or weights):
                sys.exit(
                    f'error: with seed {seed} {variant.label} starts from other weights than '
                    f'{variants[0].label}; a comparison needs the same ones'
                )
            if not seed:
                print(f'{variant.label}: {describe(changes) if changes else "the baseline"}')
            plan.append((variant, seed, config, weights, changes))
    return plan


def describe(changes: dict) -> str:
    return ', '.join(f'{key}={value}' for key, value in changes.items())


# --- running --------------------------------------------------------------------------------------


def run_all(plan: list[tuple], args: argparse.Namespace, folder: Path) -> list[dict]:
    """The record of every run, in the order of the plan; what is missing is trained first."""
    baseline = plan[0][0].label
    with ThreadPoolExecutor(args.jobs) as pool:
        jobs = [pool.submit(run_one, *each, baseline, args, folder) for each in plan]
        try:
            for number, job in enumerate(jobs, start=1):
                job.result()
                print(f'{number} of {len(jobs)} runs are ready', flush=True)
        except BaseException:
            runs.stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [job.result() for job in jobs]


def run_one(
    variant: Variant,
    seed: int,
    config: Config,
    weights: str,
    changes: dict,
    baseline: str,
    args: argparse.Namespace,
    folder: Path,
) -> dict:
    """Train and evaluate, or find the record again."""
    if runs.stop.is_set():
        raise KeyboardInterrupt
    name = f'{variant.label.replace(" ", "_").replace("/", "-")}-seed{seed}'
    work_dir = runs.run_dir(name, config, folder / 'runs').resolve()
    dump = work_dir / 'detections.pkl'
    final = config.copy()
    final.val_evaluator = [
        *recorded_evaluators(config),
        dict(type='DumpDetResults', out_file_path=str(dump)),
    ]
    trained = runs.train(name, final, work_dir)
    again = look_again(config, dump, args.bootstrap)
    last = trained['evaluations'][-args.last :]
    metrics = {key: float(np.mean([each[key] for each in last])) for key in trained['metrics']}
    how = ('commit', 'versions', 'hardware', 'minutes', 'memory_mb', 'memory_of')
    return dict(
        label=variant.label,
        baseline=None if variant.label == baseline else baseline,
        config=Path(variant.config).stem,
        seed=seed,
        changes={key: repr(value) for key, value in changes.items()},
        overlay=args.overlay and args.overlay.name,
        common={key: repr(value) for key, value in (args.cfg_options or {}).items()},
        epochs=config.train_cfg.max_epochs,
        last=args.last,
        images=image_lists(config),
        initial_weights=weights,
        **{key: trained[key] for key in how},
        metrics=runs.rounded(metrics),
        **again,
        diagnosis=trained['diagnosis'],
        **{key: [runs.rounded(each) for each in trained[key]] for key in ('evaluations', 'losses')},
    )


def image_lists(config: Config) -> str:
    """Which images train and are evaluated, without the machine's path."""
    lists = [
        dataset.get('ann_file', '')
        for loader in ('train_dataloader', 'val_dataloader')
        for dataset in find_datasets(config[loader])
    ]
    return f'{Path(config.get("data_root") or "").name}: {", ".join(lists)}'


def evaluators(config: Config) -> list[ConfigDict]:
    found = config.val_evaluator
    return found if isinstance(found, list) else [found]


def recorded_evaluators(config: Config) -> list[dict]:
    """The config's, of which the first of VOC's reports each class, as KITTI's does."""
    found = [dict(each) for each in evaluators(config)]
    of_voc = [
        each for each in found if each['type'] == 'VOCMetric' and each.get('metric', 'mAP') == 'mAP'
    ]
    if of_voc:
        of_voc[0].update(type='VOCClassMetric', prefix='voc')
    return found


def look_again(config: Config, dump: Path, number: int) -> dict:
    """``bootstrap`` and ``curves`` of the last evaluation's detections, kept."""
    kept = dump.with_name(f'bootstrap{number}.json')
    if not kept.exists():
        predictions = sorted(pickle.loads(dump.read_bytes()), key=lambda each: str(each['img_id']))
        evaluated = evaluated_images(config, predictions)
        found = {}
        if evaluated is not None:
            drawn = images.bootstrap(evaluated, number) if number else {}
            found = dict(
                bootstrap={
                    name: [float(f'{each:.4g}') for each in values]
                    for name, values in drawn.items()
                },
                curves={
                    name: [round(each, 4) for each in curve]
                    for name, curve in evaluated.curves().items()
                },
            )
        kept.write_text(json.dumps(found))
    return json.loads(kept.read_text())


def evaluated_images(
    config: Config, predictions: list[dict]
) -> images.KittiImages | images.VOCImages | images.CocoImages | None:
    """For the evaluator of the config; None for one that cannot be resampled here."""
    kinds = {each.type: each for each in reversed(evaluators(config))}
    dataset = DATASETS.build(ConfigDict(config.val_dataloader.dataset, pipeline=[]))
    classes = dataset.metainfo['classes']
    if 'KittiMetric' in kinds:
        return images.KittiImages(predictions, classes, kinds['KittiMetric'].label_dir)
    iou_thr = kinds.get('VOCMetric', {}).get('iou_thrs', 0.5)
    if 'VOCMetric' in kinds and isinstance(iou_thr, float):
        infos = map(dataset.get_data_info, range(len(dataset)))
        found = {str(info['img_id']): voc_truth(info['instances']) for info in infos}
        truths = [found[str(each['img_id'])] for each in predictions]
        mode = kinds['VOCMetric'].get('eval_mode', '11points')
        return images.VOCImages(predictions, truths, classes, iou_thr, mode)
    if 'CocoMetric' in kinds:
        return images.CocoImages(predictions, kinds['CocoMetric'].ann_file, dataset.cat_ids)
    return None


def voc_truth(instances: list[dict]) -> dict[str, np.ndarray]:
    boxes = np.array([each['bbox'] for each in instances], dtype=np.float32).reshape(-1, 4)
    labels = np.array([each['bbox_label'] for each in instances], dtype=int)
    ignored = np.array([each['ignore_flag'] for each in instances], dtype=bool)
    return dict(
        bboxes=boxes[~ignored],
        labels=labels[~ignored],
        bboxes_ignore=boxes[ignored],
        labels_ignore=labels[ignored],
    )


# --- reporting ------------------------------------------------------------------------------------


def report(records: list[dict], args: argparse.Namespace, folder: Path, file: Path) -> None:
    columns = table_columns(records)
    name = next(iter(columns.values()))
    table = tables.markdown(records, columns)
    (folder / 'table.md').write_text(table)
    (folder / 'table.csv').write_text(tables.comma_separated(records))
    for kind, draw in plots.KINDS.items():
        draw(records, name, folder / f'{kind}.png')
    print(
        f'\nIn percent: mean and standard deviation over seeds; difference to the baseline with '
        f'its 95 % interval. Compared: {", ".join(args.differ)}.\n\n{table}'
    )
    print(recommendation(records, name))
    print(f'\nRecords: {file}; tables and plots: {folder}')


def table_columns(records: list[dict]) -> dict[str, str]:
    """Of the records' own metrics, the one that decides first."""
    metrics = records[0]['metrics']
    for name, columns in COLUMNS.items():
        if name in metrics:
            classes = {
                key.removeprefix('voc/').removesuffix('_AP'): key
                for key in metrics
                if name == 'voc/mAP' and key.endswith('_AP')
            }
            return {title: key for title, key in (columns | classes).items() if key in metrics}
    name = next(iter(metrics))
    return {name: name}


def recommendation(records: list[dict], name: str) -> str:
    """The best variant if it beats the baseline for certain, else the baseline.

    The interval is that of 95 % divided among the variants (Bonferroni), since the best of many is
    partly the luckiest.
    """
    methods = tables.by_label(records)
    number = sum(next(iter(each.values()))['baseline'] is not None for each in methods.values())
    found = tables.differences(methods, name, confidence=1 - 0.05 / number)
    best = max(found, key=lambda label: found[label][0].mean)
    change, over = found[best]
    text = f'Best of {len(found)} in {name}: {best}, {tables.interval(change, over)}'
    if len(found) > 1:
        text += f' (interval widened for {len(found)} comparisons)'
    if change.low is None:
        return f'{text}. One seed gives no interval: take more before you choose.'
    if change.is_noise or change.mean < 0:
        return (
            f'{text}. That is not more than chance gives: keep the baseline, or take more seeds '
            f'if a gain of {change.high:.1f} would matter to you.'
        )
    return f'{text}. Recommended.'


def render_documents() -> None:
    """The documents' tables, and the plots that they show as ``plots/NAME-KIND.png``."""
    for pattern in DOCUMENTS:
        for document in sorted(ROOT.glob(pattern)):
            text = document.read_text()
            rendered = tables.render(text, document, ROOT)
            if rendered != text:
                document.write_text(rendered)
                print(f'wrote {document.relative_to(ROOT)}')
            for link, name, kind in sorted(set(PLOT.findall(text))):
                records = json.loads((ROOT / 'results' / f'{name}.json').read_text())
                path = document.parent / link
                path.parent.mkdir(exist_ok=True)
                plots.KINDS[kind](records, next(iter(table_columns(records).values())), path)
                print(f'wrote {path.relative_to(ROOT)}')


if __name__ == '__main__':
    runs.interruptible(main)
