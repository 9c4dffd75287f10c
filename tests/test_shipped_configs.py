import os
import shutil
from pathlib import Path

import pytest
from mmengine.config import Config

import mmdet_lrm
from mmdet_lrm.configs import UnknownConfigError, lengthened, resized

CONFIGS = Path(__file__).parents[1] / 'configs'


@pytest.mark.parametrize('name', ['yolov2_kitti', 'yolov2_kitti.py', '_base_/datasets/kitti.py'])
def test_a_config_of_the_checkout_is_found_with_and_without_its_ending(name):
    expected = CONFIGS / f'{name.removesuffix(".py")}.py'
    assert os.path.samefile(mmdet_lrm.config(name), expected)


@pytest.mark.parametrize('folder', ['mmdet_lrm/.mim/configs', 'configs'])
def test_a_wheel_has_its_own_copy_and_a_bare_checkout_its_folder(folder, tmp_path, monkeypatch):
    shutil.copytree(CONFIGS / '_base_', tmp_path / folder / '_base_')
    monkeypatch.setattr('mmdet_lrm.configs.PACKAGE', tmp_path / 'mmdet_lrm')
    found = mmdet_lrm.config('_base_/datasets/kitti')
    assert found == str(tmp_path / folder / '_base_/datasets/kitti.py')


def test_a_name_that_no_config_has_is_an_error_with_names_like_it():
    with pytest.raises(UnknownConfigError, match=r"no config 'yolo2_kitti\.py'") as error:
        mmdet_lrm.config('yolo2_kitti.py')
    assert 'yolov2_kitti' in str(error.value) and 'ssd300_voc' not in str(error.value)


def test_a_name_like_none_is_an_error_with_all_names():
    with pytest.raises(UnknownConfigError, match=r'ssd300_bccd, ssd300_coco, .*yolov3_voc'):
        mmdet_lrm.config('~')


def test_a_config_in_another_folder_inherits_from_a_shipped_one(tmp_path):
    file = tmp_path / 'mine.py'
    file.write_text(
        "_base_ = __import__('mmdet_lrm').config('yolov2_lrm_kitti')\n"
        'model = dict(bbox_head=dict(lrm=dict(hard_ratio=0.5)))\n'
    )
    expected = Config.fromfile(CONFIGS / 'yolov2_lrm_kitti.py')
    expected.model.bbox_head.lrm.hard_ratio = 0.5
    assert Config.fromfile(file).to_dict() == expected.to_dict()


def test_every_step_that_names_a_scale_is_resized_and_the_base_stays():
    base = [dict(type='Load'), dict(type='Resize', scale=(416, 416), keep_ratio=False)]
    assert resized(base, (640, 192)) == [
        dict(type='Load'),
        dict(type='Resize', scale=(640, 192), keep_ratio=False),
    ]
    assert base[1]['scale'] == (416, 416)


def test_parts_of_a_schedule_that_end_with_the_training_still_do_in_a_longer_one():
    base = [
        dict(type='LinearLR', by_epoch=False, end=30),
        dict(type='MultiStepLR', milestones=[10]),
        dict(type='CosineAnnealingLR', begin=2, end=30, T_max=28),
        dict(type='ConstantLR', end=30),
    ]
    assert lengthened(base, 30, 40) == [
        *base[:2],
        dict(type='CosineAnnealingLR', begin=2, end=40, T_max=38),
        dict(type='ConstantLR', end=40),
    ]
    assert base[3]['end'] == 30
