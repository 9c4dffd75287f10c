"""The rooms of the package: which of them may import which, read from the files without running."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / 'mmdet_lrm'
# Loose files that any room may import, and that import no room.
COMMON = {'colours', 'configs', 'errors', 'progress', 'version'}
ALLOWED = {
    'reading': set(),
    'training': set(),
    'mining': set(),
    'heads': {'mining'},
    'kitti': {'reading'},
    'launch': {'kitti', 'mining', 'training'},
    'darknet': {'heads', 'launch', 'reading'},
    'deploy': {'darknet', 'heads', 'launch'},
    'study': {'kitti', 'launch', 'mining', 'training'},
}


def imported_rooms(source: str) -> set[str]:
    """Of ``mmdet_lrm.ROOM.module``: the rooms and loose files that it names, other than its own."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level == 2:
            names = [node.module] if node.module else [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or '').startswith('mmdet_lrm.'):
            names = [node.module.removeprefix('mmdet_lrm.')]
        elif isinstance(node, ast.Import):
            names = [each.name for each in node.names if each.name.startswith('mmdet_lrm.')]
            names = [name.removeprefix('mmdet_lrm.') for name in names]
        else:
            continue
        found |= {name.split('.')[0] for name in names}
    return found


@pytest.mark.parametrize(
    ('line', 'expected'),
    [
        ('from ..study.plan import Run', {'study'}),
        ('def f():\n    from .. import study, errors', {'study', 'errors'}),
        ('import mmdet_lrm.study.plan', {'study'}),
        ('from mmdet_lrm.study import plan', {'study'}),
        ('from .plan import Run\nimport mmdet_lrm, numpy', set()),
    ],
)
def test_every_form_of_import_is_seen(line, expected):
    assert imported_rooms(line) == expected


def test_every_room_has_its_rule():
    assert ALLOWED.keys() == {path.parent.name for path in PACKAGE.glob('*/__init__.py')}


@pytest.mark.parametrize('room', ALLOWED)
def test_a_room_imports_what_lies_below_it(room):
    for path in sorted((PACKAGE / room).glob('*.py')):
        beyond = imported_rooms(path.read_text()) - ALLOWED[room] - COMMON - {room}
        assert not beyond, f'{room}/{path.name} imports {", ".join(sorted(beyond))}'


@pytest.mark.parametrize('room', ALLOWED)
def test_no_rooms_import_each_other_in_a_circle(room):
    reached, waiting = set(), [room]
    while waiting:
        new = ALLOWED[waiting.pop()] - reached
        reached |= new
        waiting += new
    assert room not in reached


def test_a_loose_file_that_all_may_import_imports_no_room():
    for name in COMMON:
        source = (PACKAGE / f'{name}.py').read_text()
        used = [node for node in ast.walk(ast.parse(source)) if getattr(node, 'level', 0)]
        assert {node.module for node in used} <= COMMON


def test_no_head_imports_another_head():
    heads = {path.stem for path in (PACKAGE / 'heads').glob('*_head.py')} - {'mined_head'}
    for head in heads:
        tree = ast.parse((PACKAGE / 'heads' / f'{head}.py').read_text())
        near = {node.module for node in ast.walk(tree) if getattr(node, 'level', 0) == 1}
        assert not near & heads
