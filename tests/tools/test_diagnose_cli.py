"""tools/diagnose.py: its table and its advice on hand-worked measurements."""

import json
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools'))

import diagnose


def measured(easy, missed, positives=0.5):
    """Columns, as a training records them, of K = 25 %."""
    return {
        'iter': list(range(1, len(easy) + 1)),
        '0.25/gradient/positives': [positives] * len(easy),
        '0.25/gradient/hard': [1 - positives - each for each in easy],
        '0.25/gradient/easy': list(easy),
        '0.25/missed': list(missed),
    }


def test_the_table_compares_the_first_fifth_with_the_last():
    table = diagnose.table(measured([0.4] * 2 + [0.2] * 6 + [0.01, 0.03], [0.0] * 8 + [0.1, None]))
    assert '| beginning | 25 % | 50.0 | 10.0 | 40.0 | 0.0 |' in table
    # The batch without objects says nothing about positives.
    assert '| end | 25 % | 50.0 | 48.0 | 2.0 | 10.0 |' in table


def test_a_record_takes_the_place_of_an_older_one_of_its_label(tmp_path):
    file = tmp_path / 'results/x.json'
    config = Config(dict(randomness=dict(seed=0)))
    how = dict.fromkeys(('commit', 'versions', 'hardware', 'minutes', 'memory_mb', 'memory_of'), 1)
    for label, easy in (('a', 0.1), ('b', 0.2), ('a', 0.3)):
        args = diagnose.parse_args(['c/ssd.py', '--record', str(file), '--label', label])
        diagnose.keep(args, config, how | dict(diagnosis=measured([easy], [None])))
    records = json.loads(file.read_text())
    assert [(each['label'], each['config']) for each in records] == [('a', 'ssd'), ('b', 'ssd')]
    assert records[0]['metrics']['end/0.25/gradient/easy'] == 0.3
    assert records[0]['metrics']['end/0.25/missed'] is None


@pytest.mark.parametrize(
    ('positives', 'easy', 'missed', 'advice'),
    [
        (0.5, 0.01, 0.0, 'hard_ratio=0.25 changes next to nothing'),
        (
            0.5,
            0.3,
            0.0,
            'hard_ratio=0.25 takes out 30 % of the gradient, all of it of easy background.',
        ),
        (0.5, 0.3, 0.05, 'it would drop 5 % of the positives: set keep_positives=True.'),
        (0.01, 0.75, 0.0, 'still has 24 times the gradient of the objects: take a smaller K.'),
    ],
)
def test_the_advice_follows_from_the_end(positives, easy, missed, advice):
    columns = measured([0.9 - positives] * 4 + [easy], [0.9] * 4 + [missed], positives)
    assert advice in diagnose.verdict(columns)
