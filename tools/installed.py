"""Imported first by the programs beside it: says how to install what they need, if it is absent."""

import sys

try:
    import mmdet_lrm  # noqa: F401
except ImportError as error:
    raise SystemExit(
        f'error: {sys.executable} lacks a module: {error}. Use the Python of `make venv`, '
        ".venv/bin/python, or `pip install -e '.[onedl]'` in the folder of mmdet_lrm"
    ) from error
