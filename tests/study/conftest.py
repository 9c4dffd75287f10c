import pytest

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
