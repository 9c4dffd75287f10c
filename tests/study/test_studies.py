"""Every recorded study can be built from its file: the plan is that of the records."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmdet_lrm.study.fairness import initial_weights
from mmdet_lrm.study.plan import make_plan
from mmdet_lrm.study.reading import read_study
from mmdet_lrm.study.records import read_records
from mmdet_lrm.study.runs import merge, of_run

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / 'configs/studies').glob('*.py'))
# Recorded before first weights were.
WITHOUT_WEIGHTS = ('first_epochs', 'bccd_scratch_cpu')


def records_of(study):
    return read_records(ROOT / 'results' / f'{study.stem}.json')


def test_every_study_has_its_records_and_they_their_study():
    recorded = {file.stem for file in (ROOT / 'results').glob('*.json')} - {'heads', 'demo'}
    assert {study.stem for study in STUDIES} == recorded


@pytest.fixture(autouse=True)
def own_data(monkeypatch):
    for name in ('KITTI_ROOT', 'BCCD_ROOT', 'PRETRAINED'):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize('study', STUDIES, ids=lambda file: file.stem)
def test_the_plan_of_a_study_is_that_of_its_records(study):
    plan, records = make_plan(read_study(study)), records_of(study)
    asked = [of_run(run) for run in plan]
    assert asked == [{key: getattr(each, key) for key in asked[0]} for each in records]
    assert merge(plan, records) == (records, [])


@pytest.fixture(scope='module')
def pretrained(shared_dir, tmp_path_factory):
    """VOC's weights, from which some of the studies on KITTI start."""
    out = tmp_path_factory.mktemp('pretrained') / 'tiny'
    source = shared_dir / 'data/darknet/tiny-yolov2-trial3'
    command = [sys.executable, str(ROOT / 'tools/darknet.py'), 'import', f'{source}.cfg']
    subprocess.run([*command, f'{source}.weights', '--out', str(out)], check=True)
    return f'{out}.pth'


@pytest.mark.slow
@pytest.mark.parametrize(
    'study', [each for each in STUDIES if each.stem not in WITHOUT_WEIGHTS], ids=lambda f: f.stem
)
def test_a_study_starts_from_the_weights_of_its_records(study, pretrained, monkeypatch):
    monkeypatch.setenv('PRETRAINED', pretrained)
    run, record = make_plan(read_study(study))[0], records_of(study)[0]
    assert initial_weights(run.config) == record.initial_weights
