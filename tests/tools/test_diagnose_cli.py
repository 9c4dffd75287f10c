"""tools/diagnose.py: the record that it keeps."""

import json
import sys
from pathlib import Path

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
