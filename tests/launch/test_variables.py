from pathlib import Path

import pytest
from mmengine.config import Config

from mmdet_lrm.launch import LaunchError
from mmdet_lrm.launch.variables import load_with_variables

CONFIGS = Path(__file__).parents[2] / 'configs'
CUSTOM = str(CONFIGS / 'yolov3-mobilenetv2_lrm_custom-coco.py')
BASELINES = sorted(path.stem for path in CONFIGS.glob('*.py') if '_lrm' not in path.stem)


def at(config: Config, key: str) -> object:
    node = config
    for part in key.split('.'):
        node = node[int(part)] if isinstance(node, list) else node[part]
    return node


TRAIN, VAL = 'train_dataloader.dataset.', 'val_dataloader.dataset.'
OWN = 'yolov3-mobilenetv2_lrm_custom-voc'
FOLLOWERS = [
    (
        OWN,
        'max_epochs',
        3,
        'train_cfg.max_epochs',
        'param_scheduler.1.end',
        'param_scheduler.1.T_max',
    ),
    (OWN, 'batch_size', 2, 'train_dataloader.batch_size', 'val_dataloader.batch_size'),
    (OWN, 'classes', ('a',), f'{TRAIN}metainfo.classes', f'{VAL}metainfo.classes'),
    ('yolov2_voc', 'data_root', 'x', f'{TRAIN}datasets.1.data_root', f'{VAL}data_root'),
    ('yolov2_kitti', 'img_scale', (64, 32), f'{TRAIN}pipeline.2.scale', f'{VAL}pipeline.1.scale'),
    ('yolov2-tiny_kitti', 'lr', 0.5, 'optim_wrapper.optimizer.lr'),
    (
        'yolov3-mobilenetv2_custom-coco',
        'val_json',
        '/elsewhere/val.json',
        f'{VAL}ann_file',
        'val_evaluator.ann_file',
    ),
    ('yolov3_bccd', 'pretrained', 'a.pth', 'model.backbone.init_cfg.checkpoint'),
]


@pytest.mark.parametrize('case', FOLLOWERS, ids=lambda case: case[1])
def test_what_is_derived_from_a_variable_follows_it(case):
    file, variable, value, *keys = case
    config = load_with_variables(str(CONFIGS / f'{file}.py'), {variable: value})
    assert [at(config, key) for key in keys] == [value] * len(keys)


@pytest.mark.parametrize('file', ['ssd300_lrm_kitti', 'yolov2-tiny_bccd', OWN])
def test_a_head_has_as_many_classes_as_are_named(file):
    config = load_with_variables(str(CONFIGS / f'{file}.py'), {'classes': ['a', 'b']})
    assert config.model.bbox_head.num_classes == 2


def test_several_variables_are_set_at_once_and_other_keys_left_to_the_merge():
    options = {'max_epochs': 3, 'batch_size': 2, 'train_cfg.val_interval': 9, 'work_dir': 'x'}
    config = load_with_variables(CUSTOM, options)
    assert (config.train_cfg.max_epochs, config.train_dataloader.batch_size) == (3, 2)
    assert config.train_cfg.val_interval == 5 and 'work_dir' not in config


def test_a_variable_of_a_file_is_set_there_and_in_its_base(tmp_path):
    (tmp_path / 'base.py').write_text('width = 1\ntrain_cfg = dict(max_iters=width)\n')
    mine = tmp_path / 'mine.py'
    mine.write_text("_base_ = './base.py'\nwidth = 2\nval_cfg = dict(interval=width)\n")
    config = load_with_variables(str(mine), {'width': 7})
    assert (config.train_cfg, config.val_cfg) == (dict(max_iters=7), dict(interval=7))


@pytest.mark.parametrize(
    ('file', 'variable', 'message'),
    [
        ('yolov2_kitti', 'max_epoch', "there is no variable 'max_epoch'; set max_epochs"),
        ('yolov2_lrm_kitti', 'hard_ratio', 'set model.bbox_head.lrm.hard_ratio$'),
        (
            'yolov3_kitti',
            'batch_size',
            "no variable 'batch_size'; set train_dataloader.batch_size or val_dataloader",
        ),
        ('yolov2_voc', 'max_epochs', "nothing follows the variable 'max_epochs'"),
        ('ssd300_coco', 'classes', "no variable 'classes'; its variables: .*data_root"),
    ],
)
def test_a_variable_that_changes_nothing_is_refused_with_what_does(file, variable, message):
    with pytest.raises(LaunchError, match=rf'--cfg-options {variable}=.*{file}\.py .*{message}'):
        load_with_variables(str(CONFIGS / f'{file}.py'), {variable: 99})


def test_the_value_that_a_variable_has_already_is_no_error():
    config = load_with_variables(str(CONFIGS / 'yolov2_voc.py'), {'max_epochs': 160})
    assert config.train_cfg.max_iters == 80200


def test_a_value_that_the_file_cannot_use_is_one_error_and_the_next_load_is_as_ever():
    with pytest.raises(LaunchError, match=r'--cfg-options classes=5 does not fit .*no len'):
        load_with_variables(CUSTOM, {'classes': 5})
    assert Config.fromfile(CUSTOM).classes == ('RBC', 'WBC', 'Platelets')


@pytest.mark.slow
@pytest.mark.parametrize('name', BASELINES)
def test_what_people_change_first_is_followed_in_every_config(name):
    file = str(CONFIGS / f'{name}.py')
    values = dict(data_root='x', img_scale=(64, 32), lr=0.5)
    by_iterations = name in ('yolov2_voc', 'yolov2-imagenet_voc')
    for epochs in (7, 1):
        config = load_with_variables(
            file, values | ({} if by_iterations else dict(max_epochs=epochs))
        )
        # MMEngine refuses a schedule that ends where it begins.
        for part in config.param_scheduler:
            assert part.get('begin', 0) < part.get('end', float('inf')) and part.get('T_max', 1) > 0
