"""Try on a GPU what cannot be seen without one; prints, and ends with 1 where something fails.

python benchmarks/gpu.py [--out FILE.txt]

1. The tests marked `cuda`. 2. Training steps of each head under torch's `sync_debug_mode`, which
refuses to wait. 3. Darknet-19 at 416, inference and training, in each precision: images a second,
and the share of what a product of matrices reaches on the card. 4. A profile of what bounds it.

Without a GPU it says so and runs 2 to 4 on small inputs, which shows that the program works.
"""

import argparse
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ('tools', 'benchmarks')]
import gpu_parts  # noqa: E402
import installed  # noqa: E402, F401
import torch  # noqa: E402
from mmengine.registry import init_default_scope  # noqa: E402

from mmdet_lrm import launch  # noqa: E402
from mmdet_lrm.training.files import write_whole  # noqa: E402


class Report:
    """Lines that are printed at once and kept, and whether a part failed."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.failed: list[str] = []

    def say(self, text: str) -> None:
        print(text, flush=True)
        self.lines.append(text)

    def part(self, title: str, work: Callable[[], str]) -> None:
        """One that fails is told, and does not keep the others from the card."""
        self.say(f'\n## {title}\n')
        try:
            self.say(work())
        except Exception:
            self.failed.append(title)
            self.say(traceback.format_exc())


def tests() -> str:
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-m', 'cuda', '--tb=short', str(ROOT / 'tests')],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stdout[-4000:])
    return done.stdout.splitlines()[-1]


def waiting(name: str, device: str, size: gpu_parts.Size) -> str:
    gpu_parts.steps_without_waiting(name, device, size)
    return 'two steps, and nothing waited' if device == 'cuda' else 'two steps'


def speeds(device: str, size: gpu_parts.Size, training: bool) -> str:
    lines = ['| form | images/s | share of peak |', '| --- | ---: | ---: |']
    for speed in gpu_parts.speeds(device, size, training):
        lines.append(
            f'| {speed.form} | {speed.images_per_second:.0f} | {speed.share_of_peak:.2f} |'
        )
    return '\n'.join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, metavar='FILE.txt', help='write all of it as well')
    args = parser.parse_args()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    size = gpu_parts.FULL if device == 'cuda' else gpu_parts.SMALL
    warnings.simplefilter('ignore')  # of what others deprecate
    init_default_scope('mmdet')
    report = Report()
    if device == 'cuda':
        report.say(f'{torch.cuda.get_device_name()}, torch {torch.__version__}')
        report.part('tests marked cuda', tests)
    else:
        report.say(
            'PyTorch sees no GPU: the parts run on small inputs, and their numbers say nothing'
        )
    for name in gpu_parts.HEADS:
        report.part(f'steps of {name}', lambda name=name: waiting(name, device, size))
    for training in (False, True):
        title = f'Darknet-19 at {size.side}, {"training" if training else "inference"}'
        report.part(title, lambda training=training: speeds(device, size, training))
    report.part('what bounds it', lambda: gpu_parts.what_bounds_it(device, size))
    if args.out:
        write_whole(args.out, '\n'.join(report.lines) + '\n')
    if report.failed:
        raise launch.LaunchError(f'failed: {", ".join(report.failed)}')


if __name__ == '__main__':
    launch.program(main)
