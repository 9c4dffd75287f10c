"""Print what things cost, and their ratios to what they are measured by; one thread, CPU time.

python benchmarks/performance.py --quick                 a minute: fewer rounds, smaller cases
python benchmarks/performance.py --darknet NET.cfg NET.weights --images IMAGE... --json FILE

Peers that are not installed and data that are not here are left out, with a word; `pip install
'mmdet_lrm[benchmark]'` brings the peers. docs/performance.md shows the record of such a run,
results/performance.json, as `tools/benchmark.py --render` makes it. To add what was left out, or to
measure a part again, run with --only and the same --json: other rows stay.
"""

import argparse
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ('tools', 'tools/dev', 'benchmarks')]
import inference_rows  # noqa: E402
import installed  # noqa: E402, F401
import loss_rows  # noqa: E402
import program_rows  # noqa: E402
import torch  # noqa: E402
import training_rows  # noqa: E402
from mmengine.registry import init_default_scope  # noqa: E402

from mmdet_lrm import launch  # noqa: E402
from mmdet_lrm.study import performance  # noqa: E402
from mmdet_lrm.study.performance import Performance  # noqa: E402
from mmdet_lrm.study.trainings import surroundings  # noqa: E402

LOSSES, TRAINING, PROGRAMS = (
    {each.__name__: each for each in room.ROWS} for room in (loss_rows, training_rows, program_rows)
)
INFERENCE = tuple(each.__name__ for each in inference_rows.ROWS)
CURVE = loss_rows.by_priors.__name__
NAMES = (*LOSSES, CURVE, *INFERENCE, *TRAINING, *PROGRAMS)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--only', nargs='+', choices=NAMES, default=NAMES, metavar='PART')
    parser.add_argument('--darknet', nargs=2, type=Path, metavar=('NET.cfg', 'NET.weights'))
    parser.add_argument('--images', nargs='+', type=Path, metavar='IMAGE', default=[])
    parser.add_argument('--rounds', type=int, metavar='N', help='25, and 5 with --quick')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the rows as well')
    args = parser.parse_args()
    if args.rounds is not None and args.rounds < 1:
        parser.error(f'--rounds is {args.rounds}; it must be at least 1')
    return args


def parts(args: argparse.Namespace) -> dict[str, Callable]:
    """By name, what gives the rows."""
    given = inference_rows.Given(*(args.darknet or (None, None)), args.images)
    inference = {each.__name__: partial(each, given) for each in inference_rows.ROWS}
    if not (args.darknet and args.images):
        inference = dict.fromkeys(inference, without_network)
    return LOSSES | inference | TRAINING | PROGRAMS


def without_network(*_: object) -> None:
    raise FileNotFoundError('--darknet and --images name no network and pictures')


def measured(args: argparse.Namespace) -> Performance:
    """The rows of the parts asked for, each printed when it is there, and each part recorded."""
    rounds = args.rounds or (5 if args.quick else 25)
    found, skipped = Performance([], None, surroundings()), {}
    print(performance.head())
    for name, part in parts(args).items():
        if name in args.only:
            try:
                for row in part(rounds, args.quick):
                    found.rows.append(row)
                    print(performance.line(row), flush=True)
            except (ModuleNotFoundError, FileNotFoundError) as error:
                skipped[name] = str(error).splitlines()[0]
            record(found, args.json)
    if CURVE in args.only:
        found = replace(found, curve=loss_rows.by_priors(rounds, args.quick))
        record(found, args.json)
    for name, reason in skipped.items():
        print(f'left out: {name}: {reason}')
    return found


def record(found: Performance, file: Path | None) -> None:
    """Rows into the file, in the place of those of the same name."""
    if file:
        before = performance.read(file) if file.is_file() else Performance([])
        performance.write(performance.joined(before, found), file)


def main() -> None:
    args = parse_args()
    for path in chain(args.darknet or (), args.images):
        launch.require_file('file', path)
    warnings.simplefilter('ignore')  # of what others deprecate, between the rows
    torch.set_num_threads(1)
    torch.manual_seed(0)
    init_default_scope('mmdet')
    measured(args)


if __name__ == '__main__':
    launch.program(main)
