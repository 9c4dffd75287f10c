"""tools/diagnose.py: its table and its advice on hand-worked measurements."""

import json
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

sys.path.insert(0, str(Path(__file__).parents[1] / 'tools'))

import diagnose


def row(easy, missed):
    shares = {'positives': 0.5, 'hard': 0.5 - easy, 'easy': easy}
    return {f'0.25/gradient/{name}': share for name, share in shares.items()} | {
        'iter': 1,
        '0.25/missed': missed,
    }


def test_the_table_compares_the_first_fifth_with_the_last():
    rows = [row(0.4, 0.0)] * 2 + [row(0.2, 0.0)] * 6 + [row(0.01, 0.1), row(0.03, float('nan'))]
    table = diagnose.table(rows)
    assert '| beginning | 25 % | 50.0 | 10.0 | 40.0 | 0.0 |' in table
    # The batch without objects says nothing about positives.
    assert '| end | 25 % | 50.0 | 48.0 | 2.0 | 10.0 |' in table


def test_a_record_takes_the_place_of_an_older_one_of_its_label(tmp_path):
    file = tmp_path / 'results/x.json'
    config = Config(dict(randomness=dict(seed=0)))
    how = dict.fromkeys(('commit', 'versions', 'hardware', 'minutes', 'memory_mb', 'memory_of'), 1)
    for label, easy in (('a', 0.1), ('b', 0.2), ('a', 0.3)):
        args = diagnose.parse_args(['c/ssd.py', '--record', str(file), '--label', label])
        diagnose.keep(args, config, how | dict(diagnosis=[row(easy, 0.0)]))
    records = json.loads(file.read_text())
    assert [(each['label'], each['config']) for each in records] == [('a', 'ssd'), ('b', 'ssd')]
    assert records[0]['metrics']['end/0.25/gradient/easy'] == 0.3


@pytest.mark.parametrize(
    ('easy', 'missed', 'advice'),
    [
        (0.01, 0.0, 'hard_ratio=0.25 changes next to nothing'),
        (0.3, 0.0, 'hard_ratio=0.25 takes out 30 % of the gradient, all of it of easy background.'),
        (0.3, 0.05, 'it would drop 5 % of the positives: set keep_positives=True.'),
    ],
)
def test_the_advice_follows_from_the_end(easy, missed, advice):
    assert advice in diagnose.verdict([row(0.9, 0.9)] * 4 + [row(easy, missed)])
