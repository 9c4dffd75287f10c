"""What is said of a study before it begins: what is missing, and what it costs."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mmdet_lrm.kitti.drawing import draw_kitti
from mmdet_lrm.study import check, cost
from mmdet_lrm.study.cost import Step
from mmdet_lrm.study.fairness import StudyError
from mmdet_lrm.study.plan import make_plan
from mmdet_lrm.study.reading import compare, read_study
from mmdet_lrm.study.runs import part

CONFIGS = Path(__file__).parents[2] / 'configs'
STUDIES = CONFIGS / 'studies'
TINY = str(CONFIGS / 'yolov2-tiny_kitti.py')


@pytest.fixture(autouse=True)
def measured(monkeypatch):
    step = Step(images=1, seconds=0.5, flops=10**9, kept=10**8, weights=10**8, states=10**8)
    monkeypatch.setattr(cost, 'measure', lambda config: step)
    monkeypatch.delenv('DARKNET19', raising=False)


def test_what_is_missing_is_all_said_with_what_it_costs(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = part(make_plan(read_study(STUDIES / 'paper-kitti.py')), 1, 5)
    with pytest.raises(StudyError, match=r'^2 things are missing, as listed above$'):
        check.check(plan, tmp_path / 'work')
    said = capsys.readouterr().out
    assert 'needs KITTI (12 GB): left color images' in said
    missing = re.findall('(?m)^missing: .*', said)
    assert "starts from 'data/darknet19_448.pth'" in missing[0]
    assert 'tools/darknet.py import darknet19_448.cfg darknet19_448.conv.23' in missing[0]
    assert missing[0].endswith('--backbone --out data/darknet19_448')
    assert "needs 'data/kitti', which does not exist" in missing[1]
    # 160 epochs of 3712 images, of 1.2222 areas, and 20 + 4 evaluations of 3769 thirds.
    assert 'yolov2-imagenet_kitti and what is compared with it, 7 runs' in said
    assert '160 epochs x 3712 images x 1.22' in said and '20 evaluations x 3769 images' in said
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setenv('KITTI_ROOT', str(draw_kitti(tmp_path / 'kitti', 4, 2)))
    return make_plan(compare([TINY], ['hard_ratio=0.25'], seeds=2))


def test_a_study_that_lacks_nothing_says_so(plan, tmp_path, capsys):
    check.check(plan, tmp_path / 'work')
    said = capsys.readouterr().out
    assert said.endswith('nothing is missing\n') and '15 epochs x 4 images' in said
    # (15 x 4 + 3 x 2 / 3) passes x 0.5 s x 4 runs, and 4 x 2 checkpoints of 0.2 GB.
    assert 'all 4 runs, one after the other: 0.0344 h' in said and 'disk: 2 GB' in said


def test_other_data_than_the_studys_are_said(plan, tmp_path, capsys):
    plan = [replace(run, study=replace(run.study, images=(3712, 2))) for run in plan]
    with pytest.raises(StudyError, match='1 thing is missing'):
        check.check(plan, tmp_path)
    assert 'images: 4 train and 2 are evaluated here, and the study is of 3712 and 2' in (
        capsys.readouterr().out
    )


def test_a_full_disk_and_a_small_gpu_are_missing(plan, tmp_path, monkeypatch):
    large = [cost.Cost(passes=1, hours=1, flops=1, memory=20e9, disk=1e18)]
    assert re.match(
        'disk: 1000000000 GB for checkpoints', check.no_room(tmp_path / 'a/b', large)[0]
    )
    gpu = type('GPU', (), dict(name='a card', total_memory=12e9))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'get_device_properties', lambda index: gpu)
    assert 'about 20 GB, and a card has 12' in check.too_small(large)[0]
    assert check.too_small([replace(large[0], memory=11e9)]) == []
