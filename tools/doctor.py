"""What of this machine, its packages and its data hinders a training, and what to do about it.

python tools/doctor.py

Data are looked for where the shipped configs do: in data/, or in the folders that KITTI_ROOT,
VOC_ROOT, COCO_ROOT and BCCD_ROOT name. The exit code is 1 if something must be mended, else 0.
"""

import argparse
import os
import sys
import warnings

os.environ['MMDET_LRM_UNREGISTERED'] = str(os.getpid())  # mmdet may be what is broken
import installed  # noqa: F401

from mmdet_lrm.doctor import FAULT, examine


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    warnings.simplefilter('ignore')
    faults = 0
    for finding in examine():
        print(finding, flush=True)
        faults += finding.level == FAULT
    if faults:
        sys.exit(f'{faults} to mend' if faults > 1 else '1 thing to mend')
    print('Nothing hinders a training')


if __name__ == '__main__':
    main()
