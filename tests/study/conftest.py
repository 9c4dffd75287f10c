from unittest.mock import Mock

import pytest
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import DataLoader

from mmdet_lrm.study.records import Record

BASELINE = 'yolov2-tiny_kitti'


@pytest.fixture
def study_of():
    """Makes records of methods, the first of which is the baseline of the others."""

    def make(name, of, **more):
        """``of``: by label the values of the metric ``name``, a seed each."""
        baseline = next(iter(of))
        return [
            Record(
                label=label,
                baseline=None if label == baseline else baseline,
                config=BASELINE,
                seed=seed,
                metrics={name: values[seed]},
                **more,
            )
            for seed in range(max(map(len, of.values())))
            for label, values in of.items()
            if seed < len(values)
        ]

    return make


@pytest.fixture
def evaluated_epochs():
    """Those after which MMEngine's loop evaluates, by a config's ``train_cfg``."""

    def run(train_cfg):
        options = {
            key: value for key, value in train_cfg.items() if key not in ('type', 'by_epoch')
        }
        runner, found = Mock(), []
        loop = EpochBasedTrainLoop(runner, DataLoader([0]), **options)
        loop.run_iter = lambda idx, data_batch: None
        runner.val_loop.run = lambda: found.append(loop.epoch)
        loop.run()
        return found

    return run
