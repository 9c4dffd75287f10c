"""Whether two configs may stand in one table."""

import subprocess
from pathlib import Path

import pytest
from mmdet.registry import MODELS
from mmengine.config import Config

from mmdet_lrm.study.fairness import (
    UnfairError,
    check_fair,
    differences,
    initial_weights,
    planned_before,
)

CONFIGS = Path(__file__).parents[2] / 'configs'


def test_differences_name_keys_as_options_do():
    first = dict(a=dict(b=[1, dict(c=2)], d=3), e=[1])
    second = dict(a=dict(b=[1, dict(c=5)]), e=[1, 2])
    assert list(differences(first, second)) == [
        ('a.b.1.c', 2, 5),
        ('a.d', 3, '<absent>'),
        ('e', [1], [1, 2]),
    ]


def test_what_the_table_does_not_name_may_not_differ():
    baseline = Config.fromfile(CONFIGS / 'yolov2-tiny_bccd.py')
    mined = Config.fromfile(CONFIGS / 'yolov2-tiny_lrm_bccd.py')
    named = ['model.bbox_head.lrm']
    changes = check_fair('mined', mined, baseline, named)
    assert changes == {'model.bbox_head.lrm': dict(type='LRMLoss', hard_ratio=0.25)}
    mined.optim_wrapper.optimizer.lr = 0.5
    with pytest.raises(UnfairError, match=r'optim_wrapper\.optimizer\.lr: .* 0\.5 here'):
        check_fair('mined', mined, baseline, named)
    # A key that only begins like a named one is another key.
    mined = Config.fromfile(CONFIGS / 'yolov2-tiny_bccd.py')
    mined.model.bbox_head.lrm_too = 1
    with pytest.raises(UnfairError, match='lrm_too'):
        check_fair('mined', mined, baseline, named)


def test_mining_may_not_ignore_what_the_baseline_trains_on():
    baseline = Config.fromfile(CONFIGS / 'yolov3_kitti.py')
    mined = Config.fromfile(CONFIGS / 'yolov3_lrm_kitti.py')
    named = ['model.bbox_head.lrm']
    assert list(check_fair('mined', mined, baseline, named)) == named
    for each in (baseline, mined):
        del each.model.bbox_head.ignore_iof_thr
    with pytest.raises(UnfairError, match=r'None in the baseline and 0\.5 here; set .*=0\.5 in'):
        check_fair('mined', mined, baseline, named)
    # By what the heads say.
    model = MODELS.build(baseline.model), MODELS.build(mined.model)
    assert [each.bbox_head.ignore_iof_thr for each in model] == [None, 0.5]
    # Where it is named, it is what is compared.
    mined.model.bbox_head.ignore_iof_thr = 0.5
    assert check_fair('m', mined, baseline, [*named, 'model.bbox_head.ignore_iof_thr'])


def test_a_share_of_zero_is_a_share_that_is_given():
    baseline = Config.fromfile(CONFIGS / 'yolov3_kitti.py')
    mined = Config.fromfile(CONFIGS / 'yolov3_lrm_kitti.py')
    for each in (baseline, mined):
        each.model.bbox_head.ignore_iof_thr = 0
    assert list(check_fair('mined', mined, baseline, ['model.bbox_head.lrm'])) == [
        'model.bbox_head.lrm'
    ]


def test_first_weights_depend_on_the_seed_and_not_on_the_mining():
    baseline = Config.fromfile(CONFIGS / 'yolov2-tiny_bccd.py')
    mined = Config.fromfile(CONFIGS / 'yolov2-tiny_lrm_bccd.py')
    assert initial_weights(baseline) == initial_weights(mined)
    mined.randomness.seed = 1
    assert initial_weights(baseline) != initial_weights(mined)


def test_a_plan_is_older_than_a_training_if_it_was_committed_before(tmp_path):
    def git(*arguments):
        who = ['-c', 'user.name=a', '-c', 'user.email=a@example.org']
        found = subprocess.run(
            ['git', *who, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return found.stdout.strip()

    def commit(name, text):
        (tmp_path / name).write_text(text)
        git('add', name)
        git('commit', '-qm', name)
        return git('describe', '--always', '--exclude=*')

    git('init', '-q')
    plan = [tmp_path / 'plan.md']
    before = commit('code.py', '1')
    planned = commit('plan.md', 'gain')
    after = commit('code.py', '2')
    assert [planned_before(plan, each) for each in (before, planned, after)] == [False, True, True]
    assert not planned_before(plan, f'{after}-dirty')
    assert not planned_before(plan, 'unknown')
    # A training that was gone on with has the commits of all its starts.
    assert planned_before(plan, f'{planned}, {after}')
    for others in (f'{before}, {after}', f'{after}, {before}', f'unknown, {after}'):
        assert not planned_before(plan, others)
    assert not planned_before(plan, f'{after}-dirty, {after}')
    changed = commit('plan.md', 'another gain')
    assert not planned_before(plan, after) and planned_before(plan, changed)
    assert not planned_before([tmp_path / 'none.md'], changed)
