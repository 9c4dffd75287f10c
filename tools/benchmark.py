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
python tools/benchmark.py configs/studies/NAME.py
    a study, from its file; --part 2/8 does a share of it on one of eight machines, and
    --merge FILE... makes the whole of their records; --check trains nothing, and says what is
    missing and what the trainings will cost
python tools/benchmark.py --render
    the tables in the documents, from the recorded results

What is finished is not repeated: the same command goes on where it was interrupted, and takes more
seeds or variants in. Runs go to work_dirs/benchmark/NAME, records to results/NAME.json.
"""

import argparse
import os
from pathlib import Path

import installed  # noqa: F401
from mmengine.logging import MMLogger

from mmdet_lrm import launch
from mmdet_lrm.study import check, demo, documents, plan, reading, report, runs
from mmdet_lrm.study.records import read_records, require_kept, write_records


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('name', nargs='?', default='demo', help='of the results, or a study file')
    add('configs', nargs='*', help='the baseline, then its variants')
    add(
        '--grid',
        nargs='+',
        default=[],
        metavar='KEY=A,B',
        help="options of `lrm` for the baseline's config, in all combinations",
    )
    add(
        '--variants',
        nargs='+',
        default=[],
        metavar='"[NAME:] KEY=A KEY=B"',
        help="the baseline's config with options of `lrm`, or with dotted keys of the config",
    )
    add('--seeds', type=int, help="number of seeds, from 0 on: a study's own, or 3")
    add('--data-root', type=Path, help="folder of the data, for the configs'")
    add('--jobs', type=int, default=1, help='trainings at a time')
    add('--last', type=int, metavar='K', help='metrics are the mean of the last K epochs')
    add('--differ', nargs='+', metavar='KEY', help='keys of the config that the table compares')
    add('--overlay', type=Path, metavar='FILE.py', help='a config laid over that of every run')
    add('--cfg-options', nargs='+', action=launch.Settings, default={}, help='of all runs alike')
    add(
        '--diagnose',
        type=int,
        metavar='N',
        help='record every N iterations of the first seed who carries the gradient',
    )
    add('--part', metavar='I/N', help='the runs of the Ith of N machines; records get its name')
    add('--merge', nargs='+', type=Path, metavar='FILE.json', help='records of parts; no training')
    add('--check', action='store_true', help='say what is missing and what it costs; no training')
    add('--work-dir', type=Path, default=Path('work_dirs/benchmark'))
    add('--results', type=Path, default=Path('results'), help='folder of records')
    add('--render', action='store_true', help="only make the documents' tables and plots")
    args = parser.parse_args()
    for key in ('seeds', 'jobs', 'last', 'diagnose'):
        if getattr(args, key) is not None and getattr(args, key) < 1:
            parser.error(f'--{key} is {getattr(args, key)}; it must be at least 1')
    has_options = args.grid or args.variants
    if args.name.endswith('.py') and (args.configs or has_options):
        parser.error(f"the results need a name before the configs, and '{args.name}' is a file")
    if has_options and not args.configs:
        parser.error('--grid and --variants need a config, the baseline')
    if not has_options and len(args.configs) == 1:
        parser.error('a baseline alone compares nothing; give another config, --variants or --grid')
    return args


def read(args: argparse.Namespace) -> plan.Study:
    """What the arguments ask to compare."""
    if args.data_root:
        os.environ |= dict.fromkeys(plan.ROOT_VARIABLES, str(args.data_root.resolve()))
    settings = dict(seeds=args.seeds, last=args.last, differ=args.differ, diagnose=args.diagnose)
    overlay = reading.laid_over(args.overlay) if args.overlay else {}
    options = (overlay, args.cfg_options)
    if args.name.endswith('.py'):
        return reading.read_study(args.name, options, **settings)
    configs, variants = args.configs, args.variants
    if not configs:
        configs = [demo.Demo(epochs=demo.STUDY_EPOCHS).baseline(args.work_dir / args.name)]
        variants = demo.VARIANTS
    return reading.compare(configs, variants, args.grid, options, **settings)


def main() -> None:
    args = parse_args()
    if args.render:
        for path in documents.render(Path(__file__)):
            print(f'wrote {os.path.relpath(path)}')
        return
    # Models say how each of their layers is initialised, which here is told for every run.
    MMLogger.get_instance('benchmark', log_level='WARNING')
    share = runs.read_part(args.part) if args.part else None
    planned = plan.make_plan(read(args))
    name = Path(args.name).stem if args.name.endswith('.py') else args.name
    file, folder = args.results / f'{name}.json', args.work_dir / name
    missing = []
    if args.check:
        check.check(runs.part(planned, *share) if share else planned, folder)
        return
    if args.merge:
        parts = [record for part in args.merge for record in read_records(part)]
        found, missing = runs.merge(planned, parts)
        require_kept(file, found, f'give {file} to --merge too, or move it away')
    else:
        planned = plan.check_start(planned)
        print(plan.describe(planned))
        if share:
            file = file.with_name('{}.part{}of{}.json'.format(name, *share))
            planned = runs.part(planned, *share)
        require_kept(file, planned, 'ask for these too, give another name, or move it away')
        found = runs.run_all(planned, folder, args.jobs)
    write_records(found, file)
    for run in missing:
        print(f'missing: {run.variant.label}, seed {run.seed}')
    if not (share or missing):
        print(f'\n{report.write(found, folder, planned[0].study.differ)}')
        print(f'Tables and plots: {folder}')
    print(f'Records: {file}')


if __name__ == '__main__':
    launch.program(main, goes_on='the same command goes on from the last finished epoch')
