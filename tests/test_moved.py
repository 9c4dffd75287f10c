"""Old names of modules stay for one release."""

import importlib
import sys

import pytest

from mmdet_lrm.moved import MOVED


@pytest.mark.parametrize(('old', 'new'), MOVED.items())
def test_a_module_is_found_by_its_old_name_with_a_warning(old, new, monkeypatch):
    for name in MOVED:  # that another test may have imported: the first import warns
        monkeypatch.delitem(sys.modules, f'mmdet_lrm.{name}', raising=False)
    with pytest.warns(FutureWarning, match=rf'mmdet_lrm\.{old} is now mmdet_lrm\.{new}'):
        found = importlib.import_module(f'mmdet_lrm.{old}')
    assert found is importlib.import_module(f'mmdet_lrm.{new}')


def test_the_functions_of_the_mining_keep_their_place():
    from mmdet_lrm.mining import hard_mask, rank

    assert hard_mask is rank.hard_mask
