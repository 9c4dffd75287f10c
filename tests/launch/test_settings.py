"""KEY=VALUE arguments: MMEngine's values, dicts, and the usage where there is no value."""

import argparse
import re

import pytest

from mmdet_lrm.launch.settings import Settings, parse_value

NESTED = dict(b=[1, (2.5, -3)], c=None)


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('3', 3),
        ('1e-3', 0.001),
        ('none', 'none'),
        ('None', None),
        ('true', True),
        ('a,b', ['a', 'b']),
        ('[a,b]', ['a', 'b']),
        ('[(1,2),(3,4)]', [(1, 2), (3, 4)]),
        ("dict(type='LRMLoss', hard_ratio=0.25)", dict(type='LRMLoss', hard_ratio=0.25)),
        ('dict(type=LRMLoss,scope=image)', dict(type='LRMLoss', scope='image')),
        ("{'type': 'LRMLoss', 'hard_ratio': 0.25}", dict(type='LRMLoss', hard_ratio=0.25)),
        ('dict(a=dict(b=[1, (2.5, -3)], c=None), e=true)', dict(a=NESTED, e=True)),
        ('[dict(type=A), {"type": "B", "x": {}}]', [dict(type='A'), dict(type='B', x={})]),
        ('dict(a=1),dict(a=2)', [dict(a=1), dict(a=2)]),
        ('(dict(a=1),dict(a=2))', (dict(a=1), dict(a=2))),
        ('"dict(a=1)"', dict(a=1)),
        ("('red cell','white cell')", ('red cell', 'white cell')),
        ("('red cell')", ('red cell',)),
        ("['red cell', 'a,b']", ['red cell', 'a,b']),
        ('red cell, 0.5', ['red cell', 0.5]),
        ('/my data (copy)/x', '/my data (copy)/x'),
        ("'/my data'", '/my data'),
        ("it's", "it's"),
        ('[a/b.txt, c/d.txt]', ['a/b.txt', 'c/d.txt']),
        ('( 640, 192 )', (640, 192)),
    ],
)
def test_a_value_is_read_as_it_is_meant(text, value):
    assert parse_value(text) == value


@pytest.fixture
def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=Settings)
    return lambda *settings: parser.parse_args(['--cfg-options', *settings]).cfg_options


def test_settings_are_collected_by_key_and_a_value_may_hold_equal_signs(parse):
    settings = parse('a.b=1', 'model.lrm=dict(type=LRMLoss, num_hard=2)', 'url=x?y=1')
    assert settings == {'a.b': 1, 'model.lrm': dict(type='LRMLoss', num_hard=2), 'url': 'x?y=1'}


@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        ('lr', r"--cfg-options got 'lr'; it must be KEY=VALUE"),
        ('=1', 'it must be KEY=VALUE'),
        ('model.size=(1,2', 'brackets do not match'),
        ("model.lrm={'type': 'LRMLoss'", 'brackets do not match'),
        ('lrm=LRMLoss(a,b)', r"got 'lrm=LRMLoss\(a,b\)', whose value cannot be read; a list is"),
        ('lrm=dict(LRMLoss)', 'cannot be read'),
        ('classes=(red cell,white)', 'cannot be read; a list is'),
        ('lrm=dict(**{})', 'cannot be read'),
        ('lrm=dict(a=b/c)', 'cannot be read'),
        ('lrm=dict(a=(1)', 'brackets do not match'),
        ('lrm=dict(a=1 b=2)', 'cannot be read'),
        ('lrm={1, 2}', 'cannot be read'),
        ('lrm={[]: 1}', 'cannot be read'),
        ('lrm=' + '{1:' * 300 + '1' + '}' * 300, 'cannot be read'),
        ("lrm=dict(a=__import__('os').getcwd())", 'cannot be read'),
    ],
)
def test_what_is_no_setting_shows_the_usage(parse, capsys, setting, message):
    with pytest.raises(SystemExit, match='2'):
        parse(setting)
    assert re.search(message, capsys.readouterr().err)
