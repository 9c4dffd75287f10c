"""What the doctor finds of an installation and of data."""

import os
import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import mmcv.ops
import pytest
import torch

from mmdet_lrm import doctor
from mmdet_lrm.doctor import FAULT, NOTE, OK, Finding, found_by
from mmdet_lrm.kitti.drawing import draw_kitti


def levels(findings) -> list[str]:
    return [each.level for each in findings]


def test_a_fault_comes_with_its_remedy():
    assert str(Finding(OK, 'torch 2.13')) == 'ok    torch 2.13'
    assert str(Finding(FAULT, 'no mmcv', 'get it')) == 'FAULT no mmcv\n      -> get it'


@pytest.mark.parametrize(('free', 'level'), [(0.9e9, FAULT), (4e9, NOTE), (6e9, OK)])
def test_little_disk_is_a_fault(monkeypatch, free, level):
    usage = namedtuple('usage', 'free')(free)
    monkeypatch.setattr(doctor.shutil, 'disk_usage', lambda folder: usage)
    assert levels(doctor.disk()) == [level]


def test_two_packages_of_one_name_and_an_absent_one_are_faults(monkeypatch):
    providers = {'mmdet': ['onedl-mmdetection', 'mmdet', 'mmdet'], 'mmengine': ['onedl-mmengine']}
    monkeypatch.setattr(doctor.metadata, 'packages_distributions', lambda: providers)
    monkeypatch.setattr(doctor.metadata, 'version', lambda name: '3.3.0')
    engine, absent, double = doctor.stack()
    assert (engine.level, engine.text) == (OK, 'mmengine of onedl-mmengine 3.3.0')
    assert (absent.level, absent.text) == (FAULT, 'mmcv is not installed')
    assert double.text.startswith('mmdet comes from mmdet 3.3.0 and onedl-mmdetection 3.3.0, which')
    assert double.remedy.startswith('pip uninstall mmdet onedl-mmdetection; then ')


def test_operators_of_mmcv_are_run(monkeypatch):
    assert OK in levels(doctor.operators())

    def compiled_for_another_torch(*_):
        raise RuntimeError('undefined symbol: _ZN3c10\nand more')

    monkeypatch.setattr(mmcv.ops, 'nms', compiled_for_another_torch)
    finding = next(doctor.operators())
    assert finding.level == FAULT and finding.text.endswith('on cpu: undefined symbol: _ZN3c10')
    monkeypatch.setattr(mmcv.ops, 'nms', lambda boxes, scores, _: (boxes, torch.arange(3)))
    assert levels(doctor.operators())[0] == FAULT


@pytest.mark.skipif(torch.cuda.is_available(), reason='tells what is found without a GPU')
def test_a_torch_for_gpus_that_finds_none_is_a_fault_and_one_for_the_cpu_is_not(monkeypatch):
    monkeypatch.setattr(torch.version, 'cuda', None)
    assert levels(doctor.torch_and_gpu()) == [OK, NOTE]
    monkeypatch.setattr(torch.version, 'cuda', '12.4')
    assert levels(doctor.torch_and_gpu()) == [OK, FAULT]
    monkeypatch.setattr(torch, '__version__', '2.3.1+cu121')
    assert levels(doctor.torch_and_gpu()) == [FAULT, FAULT]


def test_what_a_check_cannot_do_is_a_finding_and_what_it_prints_is_not_shown(capsys):
    def broken():
        print('noise of an import')
        yield Finding(OK, 'first')
        raise AssertionError('mmcv==2.2 is incompatible')

    first, second = found_by(broken)
    assert first.text == 'first'
    assert second[:2] == (FAULT, 'broken: AssertionError: mmcv==2.2 is incompatible')
    assert capsys.readouterr().out == ''


def test_data_that_are_there_are_counted_and_checked(tmp_path, monkeypatch):
    monkeypatch.setenv('KITTI_ROOT', str(tmp_path / 'kitti'))
    (finding,) = found_by(doctor.data_set, 'kitti', 'KITTI_ROOT')
    assert finding.level == NOTE and finding.text.endswith('KITTI_ROOT names their folder')
    draw_kitti(tmp_path / 'kitti', 3, 2)
    train, val, *_ = found_by(doctor.data_set, 'kitti', 'KITTI_ROOT')
    assert train.level == val.level == OK and 'kitti: train ' in train.text
    next((tmp_path / 'kitti/training/image_2').iterdir()).unlink()
    assert FAULT in levels(found_by(doctor.data_set, 'kitti', 'KITTI_ROOT'))


def start(*arguments, **env):
    command = [sys.executable, '-m', 'mmdet_lrm', *arguments]
    return subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True)


def test_the_programs_are_listed_and_started_by_their_names(tmp_path):
    listed = start()
    tools = (Path(__file__).parents[1] / 'tools').glob('*.py')
    names = {line.split()[0] for line in listed.stdout.splitlines()[1:]}
    assert names == {path.stem for path in tools} - {'installed'}
    assert 'Measures a checkpoint on the test data of a config.' in listed.stdout
    help_of = start('kitti-eval', '--help')
    assert help_of.returncode == 0 and help_of.stdout.startswith('usage: kitti_eval.py')
    unknown = start('trian')
    assert unknown.returncode == 2
    assert unknown.stderr == "error: there is no program 'trian'; is train meant?\n"


@pytest.mark.slow
def test_the_doctor_ends_with_1_if_something_is_to_be_mended(tmp_path):
    draw_kitti(tmp_path / 'kitti', 2, 1)
    env = dict(KITTI_ROOT=str(tmp_path / 'kitti'))
    well = start('doctor', **env)
    assert well.returncode == 0 and well.stdout.endswith('\nNothing hinders a training\n')
    # What mmdet says on import of packages that it can do without.
    assert not re.search('OneDL|faster_coco_eval', well.stdout + well.stderr)
    next((tmp_path / 'kitti/training/label_2').iterdir()).write_text('Car\n')
    ill = start('doctor', **env)
    assert (ill.returncode, ill.stderr) == (1, '1 thing to mend\n')
    assert '\nFAULT problems in the data of kitti: 1, first ' in ill.stdout
