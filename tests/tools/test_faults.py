"""The faults that are put to a training, and the table that counts what is lost."""

import faults
import pytest
from written_tables import around_table


def test_the_page_has_a_row_for_each_fault():
    _, table, _ = around_table('faults')
    rows = [line.strip('| ').split(' | ') for line in table.splitlines() if line.startswith('| ')]
    assert [name for name, *_ in rows[2:]] == [each.name for each in faults.FAULTS]


@pytest.mark.slow
@pytest.mark.parametrize(('way', 'lost'), [('before', 1), ('now', 0)])
def test_an_empty_checkpoint_loses_a_training_but_by_the_hooks_of_the_configs(tmp_path, way, lost):
    (empty,) = (each for each in faults.FAULTS if each.name == 'the newest checkpoint is empty')
    assert faults.count(empty, way, 1, tmp_path) == (1, lost)


@pytest.mark.slow
def test_what_would_come_after_the_end_of_a_training_is_no_try(tmp_path):
    late = faults.Fault('late', faults.calls('before_train_iter', 8, 1000, 7))
    assert faults.count(late, 'now', 1, tmp_path) == (1, 0)
