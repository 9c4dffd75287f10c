"""From runs to records: what they hold, parts of a study, and their merging."""

from dataclasses import replace
from pathlib import Path

import pytest
from mmengine.config import Config

from mmdet_lrm.kitti.drawing import draw_kitti
from mmdet_lrm.study import runs
from mmdet_lrm.study.fairness import StudyError
from mmdet_lrm.study.plan import make_plan
from mmdet_lrm.study.reading import compare, diagnose
from mmdet_lrm.study.records import Record
from mmdet_lrm.study.runs import (
    merge,
    of_run,
    part,
    read_part,
    record,
    recorded_evaluators,
    run_all,
)
from mmdet_lrm.study.trainings import Logs, Spent, Training

CONFIGS = Path(__file__).parents[2] / 'configs'
TINY = str(CONFIGS / 'yolov2-tiny_kitti.py')


def training(**logs):
    made_with = dict(memory_of='GPU', commit='c', versions=dict(torch='2'), hardware='h')
    return Training(Path('c.py'), Path('e.pth'), Logs(**logs), Spent(1.5, 700), **made_with)


@pytest.fixture
def plan():
    return make_plan(compare([TINY], ['num_hard=9', 'num_hard=8'], seeds=3, last=2))


def test_a_record_says_what_was_trained_how_and_with_what_result(plan):
    run = replace(plan[4], initial_weights='w')
    evaluations = {'epoch': [13, 14, 15], 'kitti/moderate_AP40': [0.0, 10.0, 13.0]}
    assert record(run, training(evaluations=evaluations)) == Record(
        label='num_hard=9',
        baseline='yolov2-tiny_kitti',
        config='yolov2-tiny_kitti',
        seed=1,
        metrics={'kitti/moderate_AP40': 11.5},
        changes={'model.bbox_head.lrm': "{'type': 'LRMLoss', 'num_hard': 9}"},
        common={},
        epochs=15,
        last=2,
        images='kitti: ImageSets/train.txt, ImageSets/val.txt',
        initial_weights='w',
        commit='c',
        versions=dict(torch='2'),
        hardware='h',
        minutes=1.5,
        memory_mb=700,
        memory_of='GPU',
        evaluations=evaluations,
    )


def test_what_is_measured_and_not_evaluated_is_the_metric():
    (run,) = make_plan(diagnose(TINY, {}, 1, 5, None))
    diagnosis = {'iter': [1, 6, 11, 16, 21], '0.25/missed': [None, 0.0, 0.1, 0.2, 0.3]}
    found = record(run, training(diagnosis=diagnosis))
    assert found.metrics == {'beginning/0.25/missed': None, 'end/0.25/missed': 0.3}
    with pytest.raises(StudyError, match='nothing was measured'):
        record(run, training())


@pytest.mark.parametrize('epochs', [[12, 13, 14], [13, 15], [5, 14], [15], []])
def test_a_record_is_of_the_epochs_that_it_claims(plan, epochs):
    evaluations = {'epoch': epochs, 'kitti/moderate_AP40': [1.0] * len(epochs)}
    message = r'evaluated at epochs \[.*\], and its record needs \[14, 15\]'
    with pytest.raises(StudyError, match=message):
        record(plan[4], training(evaluations=evaluations))


@pytest.mark.parametrize('data', ['bccd', 'voc'])
def test_of_vocs_evaluators_the_first_reports_every_class(data):
    config = Config.fromfile(CONFIGS / f'yolov2-tiny_{data}.py')
    given = config.val_evaluator
    given = given if isinstance(given, list) else [given]
    found = recorded_evaluators(config)
    assert found[0] == dict(given[0]) | dict(type='VOCClassMetric', prefix='voc')
    assert found[1:] == given[1:]


# --- their data -----------------------------------------------------------------------------------


@pytest.fixture
def train_all(tmp_path, monkeypatch):
    """A function that makes the records of a study on a tree, without training, and its folders."""

    def run(tree, *variants):
        folders = []

        class Untrained:
            def train(self, name, config, work_dir):
                folders.append(work_dir)
                return training(evaluations={'epoch': [15], 'kitti/moderate_AP40': [1.0]})

        monkeypatch.setenv('KITTI_ROOT', str(tree))
        monkeypatch.setattr(runs, 'Trainings', Untrained)
        plan = make_plan(compare([TINY], variants, seeds=2))
        return plan, run_all(plan, tmp_path / 'work'), folders

    return run


OTHER_DATA = [
    f'without {split}: {split}_dataloader.dataset.ignore_types=()' for split in ('train', 'val')
]


def correct(file):
    text = file.read_text()
    assert text.startswith('Car ')
    file.write_text(f'Van {text[4:]}')


def test_a_training_on_corrected_labels_is_another_one(train_all, tmp_path):
    tree = draw_kitti(tmp_path / 'kitti', 4, 2)
    _, first, folders = train_all(tree, 'num_hard=9')
    _, again, found = train_all(tree, 'num_hard=9')
    assert (again, found) == (first, folders)
    correct(tree / 'training/label_2/000000.txt')
    _, _, others = train_all(tree, 'num_hard=9', 'num_hard=8')
    assert not set(others) & set(folders)


def test_parts_on_other_data_are_not_merged(train_all, tmp_path):
    trees = [draw_kitti(tmp_path / f'{machine}/kitti', 4, 2) for machine in 'ab']
    plan, one, _ = train_all(trees[0], 'num_hard=9')
    _, two, _ = train_all(trees[1], 'num_hard=9')
    assert one == two and merge(plan, [*one[:2], *two[2:]]) == (one, [])
    (tmp_path / 'b/kitti/ImageSets/train.txt').write_text('000001\n000000\n000002\n')
    _, two, _ = train_all(trees[1], 'num_hard=9')
    message = 'yolov2-tiny_kitti, seed 1 had other data than yolov2-tiny_kitti, seed 0'
    with pytest.raises(StudyError, match=message):
        merge(plan, [*one[:2], *two[2:]])


def test_data_that_a_variant_changes_are_what_is_compared(train_all, tmp_path):
    tree = draw_kitti(tmp_path / 'kitti', 4, 2)
    plan, records, _ = train_all(tree, *OTHER_DATA, 'num_hard=9')
    of_seed = [each.data for each in records[:4]]
    assert of_seed[0] == of_seed[3] and len(set(of_seed)) == 3
    assert merge(plan, records) == (records, [])


# --- parts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize('of', [1, 2, 3, 4, 7, 9, 12])
def test_parts_hold_every_run_once_and_are_of_one_size(plan, of):
    parts = [part(plan, number, of) for number in range(1, of + 1)]
    assert [run for each in parts for run in each] == plan
    sizes = [len(each) for each in parts]
    assert max(sizes) - min(sizes) <= 1


def test_as_many_parts_as_seeds_have_a_seed_each(plan):
    assert [{run.seed for run in part(plan, number, 3)} for number in (1, 2, 3)] == [{0}, {1}, {2}]


def test_a_share_is_written_as_i_of_n():
    assert read_part('2/8') == (2, 8)
    for text in ('0/8', '9/8', '2', '2/', 'a/b', '-1/2'):
        with pytest.raises(StudyError, match=f"--part is '{text}'; it must be I/N"):
            read_part(text)


def recorded(run, value=1.0, **more):
    fields = of_run(run) | dict(images='i', initial_weights=f'w{run.seed}', metrics={'m': value})
    return Record(**fields | more)


def test_merged_parts_are_in_the_order_of_the_plan_and_say_what_is_missing(plan):
    records = [recorded(run, value) for value, run in enumerate(plan)]
    found, missing = merge(plan, [*records[6:], *records[:4], records[7]])
    assert found == records[:4] + records[6:]
    assert missing == plan[4:6]
    assert merge(plan, records) == (records, [])


@pytest.mark.parametrize(
    ('foreign', 'message'),
    [
        (dict(label='num_hard=7'), 'num_hard=7, seed 0 is no run of this study'),
        (dict(seed=3), 'num_hard=9, seed 3 is no run of this study'),
        (dict(epochs=14), 'recorded with epochs 14, and the study has 15'),
        (dict(last=1), 'recorded with last 1, and the study has 2'),
        (dict(config='yolov2_kitti'), "recorded with config 'yolov2_kitti'"),
        (dict(baseline=None), 'recorded with baseline None'),
        (dict(changes={}), 'recorded with changes {}'),
        (dict(common={'a': '1'}), "recorded with common {'a': '1'}"),
        (dict(images='others'), 'had other images or first weights'),
        (dict(initial_weights='w1'), 'had other images or first weights'),
    ],
)
def test_a_record_of_another_study_is_not_merged(plan, foreign, message):
    records = [recorded(run) for run in plan]
    records[1] = replace(records[1], **foreign)
    with pytest.raises(StudyError, match=message):
        merge(plan, records)


def test_two_results_of_a_run_are_not_merged(plan):
    records = [recorded(plan[0]), recorded(plan[0], value=2.0)]
    with pytest.raises(StudyError, match='seed 0 was recorded twice, with different results'):
        merge(plan, records)


def test_a_method_with_seeds_of_its_own_merges_with_other_first_weights():
    plan = make_plan(compare([TINY], ['itself: seed_offset=2', 'num_hard=9'], seeds=1))
    weights = {'itself': 'other'}
    records = [
        Record(**of_run(run), metrics={}, initial_weights=weights.get(run.variant.label, 'first'))
        for run in plan
    ]
    assert merge(plan, records) == (records, [])
