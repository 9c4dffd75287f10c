"""Imported first by the programs beside it: says how to install what they need, if it is absent.

What mmdet says on import of other packages that it can do without is left out.
"""

import contextlib
import io
import sys
import warnings

NOISE = ('Could not import OneDL', 'faster_coco_eval is not installed')

try:
    with contextlib.redirect_stdout(io.StringIO()) as said, warnings.catch_warnings():
        warnings.filterwarnings('ignore', NOISE[1])
        import mmdet_lrm  # noqa: F401
    for line in said.getvalue().splitlines():
        if not line.startswith(NOISE):
            print(line)
except ImportError as error:
    raise SystemExit(
        f'error: {sys.executable} lacks a module: {error}. Use the Python of `make venv`, '
        ".venv/bin/python, or `pip install -e '.[onedl]'` in the folder of mmdet_lrm"
    ) from error
