"""The tables of docs/reliability.md."""

import json

import fuzz
import matrix
import pytest
import time_training_parts
import written_tables


@pytest.mark.parametrize(
    ('name', 'record', 'table'),
    [
        ('inputs', fuzz.RECORD, fuzz.table),
        ('the matrix', matrix.RECORD, matrix.table),
        ('costs', time_training_parts.RECORD, time_training_parts.table),
    ],
)
def test_the_page_shows_its_records(name, record, table, tmp_path):
    page = tmp_path / 'page.md'
    page.write_text(written_tables.DOCUMENT.read_text())
    written_tables.put_table(
        name, table(json.loads(written_tables.record_of(record).read_text())), page
    )
    assert page.read_text() == written_tables.DOCUMENT.read_text()


def test_a_table_takes_the_place_of_the_one_between_its_marks(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text('a\n<!-- table of x -->\nold\n<!-- end of table of x -->\nb\n')
    for lines in (['new', 'rows'], [r'\1 | x']):
        written_tables.put_table('x', lines, page)
        text = '\n'.join(lines)
        assert page.read_text() == (
            f'a\n<!-- table of x -->\n{text}\n<!-- end of table of x -->\nb\n'
        )
    with pytest.raises(ValueError, match='0 places for a table of y; it must have one'):
        written_tables.put_table('y', [], page)
    page.write_text('<!-- end of table of x -->\n<!-- table of x -->\n')
    with pytest.raises(ValueError, match='0 places for a table of x'):
        written_tables.put_table('x', [], page)


def test_a_ratio_is_the_median_of_rounds_and_the_first_one_warms_up(monkeypatch):
    clock = iter([0, 9, 0, 9, 0, 1, 0, 2, 0, 9, 0, 2, 0, 1, 0, 4])
    monkeypatch.setattr(time_training_parts.time, 'thread_time', lambda: next(clock))
    found = time_training_parts.timed('part', lambda: None, lambda: None, rounds=3)
    assert found == dict(name='part', ours=1, peer=2, ratio=0.5)
    assert list(time_training_parts.table([found]))[2] == '| part | 1,000.00 | 2,000.00 | 0.5 |'
