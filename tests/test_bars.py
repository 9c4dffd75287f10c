"""Sizes that the code and the documents keep to."""

import ast
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[1]
CODE = [
    path
    for folder in ('mmdet_lrm', 'tools', 'configs')
    for path in sorted((ROOT / folder).rglob('*.py'))
    if '.mim' not in path.parts
]


def lines(path: Path) -> int:
    return path.read_text().count('\n')


def functions() -> dict[str, int]:
    """Lines by name, of all functions of the package and the programs."""
    return {
        f'{path.relative_to(ROOT)}:{node.lineno} {node.name}': node.end_lineno - node.lineno + 1
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize(
    ('what', 'sizes', 'most'),
    [
        ('a file', {path: lines(path) for path in CODE}, 450),
        (
            'a program',
            {
                path: lines(path)
                for path in CODE
                if 'tools' in path.parts and "__name__ == '__main__'" in path.read_text()
            },
            150,
        ),
        ('a function', functions(), 60),
        ('the README', {'README.md': lines(ROOT / 'README.md')}, 160),
        ('the reasons', {'docs/why.md': lines(ROOT / 'docs/why.md')}, 200),
    ],
)
def test_nothing_is_larger_than_it_may_be(what, sizes, most):
    assert sizes
    too_large = {str(name): size for name, size in sizes.items() if size > most}
    assert not too_large, f'{what} has at most {most}'


def test_half_of_all_functions_have_ten_lines_at_most():
    assert median(functions().values()) <= 10
