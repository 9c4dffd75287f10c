"""What `import mmdet_lrm` gives."""

import os
import subprocess
import sys

import pytest
from mmdet import registry

import mmdet_lrm

PRINT = "print(registry.MODELS.get('LRMLoss'), registry.DATASETS.get('KittiDataset'))"


def test_what_is_registered_is_public_by_its_name():
    kinds = [each for each in vars(registry).values() if isinstance(each, registry.Registry)]
    registered = {
        name: cls
        for kind in kinds
        for name, cls in kind.module_dict.items()
        if cls.__module__.startswith('mmdet_lrm.')
    }
    assert {'LRMLoss', 'YOLOV2Head', 'KittiMetric', 'BurnInLR', 'LRMScheduleHook'} <= set(
        registered
    )
    for name, cls in registered.items():
        assert name in mmdet_lrm.__all__ and getattr(mmdet_lrm, name) is cls


def test_every_public_name_is_there():
    assert [name for name in mmdet_lrm.__all__ if not hasattr(mmdet_lrm, name)] == []


def test_a_room_that_nothing_imported_is_there_when_it_is_asked_for(monkeypatch):
    monkeypatch.delattr(mmdet_lrm, 'deploy', raising=False)
    assert mmdet_lrm.deploy.accelerate.__module__ == 'mmdet_lrm.deploy.fast'
    with pytest.raises(AttributeError, match="module 'mmdet_lrm' has no attribute 'deply'"):
        _ = mmdet_lrm.deply


def test_the_kitti_package_has_its_two_classes_and_no_others():
    assert mmdet_lrm.kitti.KittiDataset is mmdet_lrm.KittiDataset
    assert mmdet_lrm.kitti.KittiMetric is mmdet_lrm.KittiMetric
    with pytest.raises(AttributeError, match=r"'mmdet_lrm\.kitti' has no attribute 'Kitti'"):
        _ = mmdet_lrm.kitti.Kitti


@pytest.mark.slow
def test_a_process_that_inherits_the_switch_of_another_registers_all_the_same():
    code = f'import mmdet_lrm; from mmdet import registry; {PRINT}'
    env = os.environ | {'MMDET_LRM_UNREGISTERED': str(os.getpid())}
    done = subprocess.run([sys.executable, '-c', code], env=env, capture_output=True, text=True)
    assert 'LRMLoss' in done.stdout and 'KittiDataset' in done.stdout, done.stderr
