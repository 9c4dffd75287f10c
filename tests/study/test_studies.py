"""Every recorded study can be built from its file: the plan is that of the records."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmdet_lrm.study.documents import NO_STUDIES
from mmdet_lrm.study.fairness import differences, initial_weights, planned_before
from mmdet_lrm.study.plan import LRM, make_plan
from mmdet_lrm.study.reading import read_study
from mmdet_lrm.study.records import read_records
from mmdet_lrm.study.runs import merge, of_run

ROOT = Path(__file__).parents[2]
PLANNED = [
    ROOT / f'configs/studies/{name}.py' for name in ('bloodpbc', 'bloodpbc_instead', 'aquarium')
]
# For a GPU that is not here.
KIT = [
    ROOT / f'configs/studies/{name}.py'
    for name in ('paper-kitti', 'paper-kitti-416', 'paper-voc', 'yolov3-coco', 'ssd300-voc')
]
RECORDED = {file.stem for file in (ROOT / 'results').glob('*.json')} - {*NO_STUDIES, 'demo'}
STUDIES = [
    file for file in sorted((ROOT / 'configs/studies').glob('*.py')) if file.stem in RECORDED
]
# Recorded before first weights were.
WITHOUT_WEIGHTS = ('first_epochs', 'bccd_scratch_cpu')


def records_of(study):
    return read_records(ROOT / 'results' / f'{study.stem}.json')


def test_every_record_has_its_study_and_all_but_those_of_the_plan_are_recorded():
    files = set((ROOT / 'configs/studies').glob('*.py'))
    assert files == {*STUDIES, *PLANNED, *KIT}
    assert {study.stem for study in STUDIES} == RECORDED


@pytest.mark.parametrize('study', PLANNED, ids=lambda file: file.stem)
def test_no_record_of_the_confirmation_is_older_than_its_plan(study):
    plan = [study, study.with_name('confirmation.md'), study.parent / '_base_/confirmation.py']
    for file in (ROOT / 'results').rglob(f'{study.stem}.*json'):
        for record in read_records(file):
            assert planned_before(plan, record.commit), (file.name, record.label, record.seed)


@pytest.mark.parametrize('study', PLANNED, ids=lambda file: file.stem)
def test_the_studies_of_the_confirmation_test_what_its_plan_says(study):
    plan = make_plan(read_study(study))
    assert {run.seed for run in plan} == {0, 1, 2, 3, 4}
    epochs = {'bloodpbc': {32}, 'bloodpbc_instead': {32, 48}, 'aquarium': {48}}[study.stem]
    assert {run.config.train_cfg.max_epochs for run in plan} == epochs
    page = (ROOT / 'configs/studies/confirmation.md').read_text()
    assert 'to 32 and 48 epochs' in ' '.join(page.split())
    for run in plan:
        assert run.config.val_dataloader.dataset.ann_file.endswith('Main/test.txt')
        assert run.config.val_evaluator[1].iou_thrs == [0.75]
    mined = {run.changes.get(LRM) for run in plan} - {None}
    if study.stem != 'bloodpbc_instead':
        assert repr(dict(type='LRMLoss', hard_ratio=0.05, nms_iou_thr=0.7)) in mined
    else:
        assert not mined


def planned(name):
    return make_plan(read_study(ROOT / f'configs/studies/{name}.py'))


def test_a_baseline_is_trained_against_itself_with_seeds_of_its_own():
    plan = planned('bccd_itself')
    seeds = [run.config.randomness.seed for run in plan]
    assert sorted(seeds) == [*range(20), *range(1000, 1020)]
    first, second = (run.config.to_dict() for run in plan[:2])
    assert list(differences(first, second)) == [('randomness.seed', 0, 1000)]


def test_a_training_lacks_a_tenth_of_the_labels_and_no_evaluation_does():
    plan = planned('bccd_fewer_labels')
    first, second = (run.config.to_dict() for run in plan[:2])
    loading = 'train_dataloader.dataset.pipeline.1'
    assert list(differences(first, second)) == [
        (f'{loading}.type', 'LoadAnnotations', 'LoadFewerAnnotations'),
        (f'{loading}.drop_share', '<absent>', 0.1),
    ]


@pytest.mark.parametrize(('name', 'epochs'), [('bccd_release', 8), ('bccd_release_long', 24)])
def test_mining_is_released_from_a_quarter_to_three_quarters(name, epochs):
    _, mined, released = planned(name)[:3]
    assert released.config.train_cfg.max_epochs == epochs
    found = list(differences(mined.config.to_dict(), released.config.to_dict()))
    hook = dict(type='LRMScheduleHook', release=(epochs / 4, epochs * 3 / 4))
    assert found == [('custom_hooks', '<absent>', [hook])]


@pytest.fixture(autouse=True)
def own_data(monkeypatch):
    for name in ('KITTI_ROOT', 'BCCD_ROOT', 'PRETRAINED', 'DARKNET19'):
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
