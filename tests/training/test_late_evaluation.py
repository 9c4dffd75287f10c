"""After which steps a training that goes on asks for its evaluation, beside MMEngine's loops."""

from unittest.mock import Mock

import pytest
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch.utils.data import DataLoader

from mmdet_lrm.training.checkpoints import evaluation_is_due

END = 10


@pytest.mark.parametrize(
    ('kind', 'place'), [(EpochBasedTrainLoop, '_epoch'), (IterBasedTrainLoop, '_iter')]
)
@pytest.mark.parametrize(
    ('options', 'steps'),
    [
        (dict(val_interval=3), [3, 6, 9, 10]),
        (dict(val_interval=3, val_begin=5), [6, 9, 10]),
        (dict(val_interval=4, dynamic_intervals=[(8, 1)]), [4, 7, 8, 9, 10]),
        (dict(val_interval=11), [10]),
        (dict(val_begin=11), []),
    ],
)
def test_an_evaluation_is_due_where_mmengine_evaluates(kind, place, options, steps):
    def loop_at(step):
        loop = kind(Mock(), DataLoader(range(END)), END, **options)
        setattr(loop, place, step)
        return loop

    evaluated, whole = [], loop_at(0)
    whole.runner.val_loop.run = lambda: evaluated.append(getattr(whole, place))
    whole.run()
    assert evaluated == steps
    assert [step for step in range(1, END + 1) if evaluation_is_due(loop_at(step))] == steps
