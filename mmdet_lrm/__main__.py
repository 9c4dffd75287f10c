"""The programs of this package by name: ``python -m mmdet_lrm train CONFIG``; without one, a list.

They lie in ``tools/``, or within the package where it was installed from a wheel.
"""

import ast
import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

PACKAGE = Path(__file__).parent


def programs() -> dict[str, Path]:
    """The files of the programs, by their names."""
    folder = PACKAGE / '.mim' / 'tools'
    if not folder.is_dir():  # a checkout that is not installed
        folder = PACKAGE.parent / 'tools'
    return {
        path.stem: path
        for path in sorted(folder.glob('*.py'))
        if "if __name__ == '__main__':" in path.read_text()
    }


def listing() -> str:
    """A line a program: the first of what it says of itself."""
    found = programs()
    width = max(map(len, found))
    lines = [
        f'  {name:{width}}  {ast.get_docstring(ast.parse(path.read_text())).splitlines()[0]}'
        for name, path in found.items()
    ]
    return '\n'.join(['python -m mmdet_lrm PROGRAM ARGUMENTS, of which --help tells more:', *lines])


def main(arguments: Sequence[str]) -> None:
    """Become the program that the first argument names, with the others."""
    if not arguments or arguments[0] in ('-h', '--help'):
        print(listing())
        return
    given, *rest = arguments
    found, name = programs(), given.replace('-', '_').removesuffix('.py')
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        meant = f'is {near[0]} meant?' if near else f'there are {", ".join(found)}'
        print(f"error: there is no program '{given}'; {meant}", file=sys.stderr)
        sys.exit(2)
    os.execv(sys.executable, [sys.executable, str(found[name]), *rest])


if __name__ == '__main__':
    main(sys.argv[1:])
