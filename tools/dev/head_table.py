"""Try Loss Rank Mining in the one-stage detectors that mmdet ships, by a line of their config each.

python tools/dev/head_table.py
    what is not yet in results/heads.json, then the table
python tools/dev/head_table.py --render
    the table alone

Every config of a one-stage detector is taken. In its head the loss of objectness, heat map or
classes becomes an LRMElementLoss around itself, or, where mmdet_lrm has a head of its own, it
gets `lrm`. The detector is built from it; of the configs that share detector, head and losses, one
runs a training step on drawn images, forward and backward. It works if the step ends with finite
gradients and the mining has left elements out.
"""

import argparse
import json
from pathlib import Path

from mmdet.utils import register_all_modules
from mmengine.logging import MessageHub
from one_stage import groups
from try_mining import SIDES, try_group

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / 'results' / 'heads.json'
DOCUMENT = ROOT / 'docs' / 'heads.md'


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--render', action='store_true', help='render the results that exist')
    parser.add_argument('--only', help='names of detectors or heads that contain this')
    args = parser.parse_args()
    register_all_modules()
    # Some ask how far the training is: TOOD has another loss in its first epochs.
    MessageHub.get_current_instance().update_info_dict(dict(iter=0, epoch=100))
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    if not args.render:
        done = {(row['detector'], row['head'], row['losses']) for row in rows}
        for key, paths in groups().items():
            if key in done or (args.only and args.only.lower() not in ' '.join(key).lower()):
                continue
            row = try_group(key, paths)
            print(f'{row["detector"]}, {row["head"]}: {row["outcome"]}', flush=True)
            rows.append(row)
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(rows, indent=1) + '\n')
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(document(rows))
    print(f'{sum(row["works"] for row in rows)} of {len(rows)} work; table: {DOCUMENT}')


def document(rows: list[dict]) -> str:
    working = [row for row in rows if row['works']]
    lines = [
        '# Loss Rank Mining in the one-stage detectors of MMDetection',
        '',
        f'By one line of the config each, `tools/dev/head_table.py` switched the mining on in '
        f'{sum(row["configs"] for row in rows)} configs that mmdet ships, of {len(rows)} kinds '
        f'of detector, head and losses. It works in {len(working)} kinds, which are '
        f'{sum(row["configs"] for row in working)} configs. '
        f'{sum(row["broken"] for row in rows)} further ones do not build in mmdet itself as they '
        f'are, without an optional package, and are left out. Each detector was built, and one of '
        f'each kind took a training step on two images of {SIDES[0]} x {SIDES[0]} pixels, or '
        f'larger ones; "keeps" is how many elements its ranking kept.',
        '',
        '| detector | head | configs | key that changed | losses of the head | works |',
        '| --- | --- | ---: | --- | --- | --- |',
    ]
    for row in sorted(rows, key=lambda row: (not row['works'], row['detector'], row['head'])):
        verdict = ('yes, ' if row['works'] else 'no: ') + row['outcome'].replace('|', '/')
        if row['works'] and row['refused']:
            verdict += '; but ' + ', '.join(f'`{k}`: {v}' for k, v in row['refused'].items())
        lines.append(
            f'| {row["detector"]} | {row["head"]} | {row["configs"]} | {row["swapped"] or "-"} '
            f'| {row["losses"]} | {verdict} |'
        )
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    main()
