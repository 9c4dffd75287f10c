"""What a study compares, and what is checked before any of its runs begins."""

from dataclasses import replace
from pathlib import Path

import pytest
from mmengine.config import Config

from mmdet_lrm.errors import UserError
from mmdet_lrm.study.fairness import StudyError
from mmdet_lrm.study.plan import (
    Study,
    Variant,
    change,
    check_start,
    describe,
    make_plan,
    measured,
)
from mmdet_lrm.study.reading import compare, diagnose, laid_over, read_study

CONFIGS = Path(__file__).parents[2] / 'configs'
TINY = str(CONFIGS / 'yolov2-tiny_kitti.py')
MINED = str(CONFIGS / 'yolov2-tiny_lrm_kitti.py')
LRM = 'model.bbox_head.lrm'


# --- reading --------------------------------------------------------------------------------------


def test_variants_are_configs_sets_of_options_and_combinations():
    texts = ['hard_ratio=0.5 element=cell', 'a lower rate: optim_wrapper.optimizer.lr=1e-3']
    study = compare([TINY, MINED], texts, ['num_hard=1,2', 'scope=level'])
    assert [(each.label, each.changes) for each in study.variants] == [
        ('yolov2-tiny_kitti', {}),
        ('yolov2-tiny_lrm_kitti', {}),
        (
            'hard_ratio=0.5 element=cell',
            {LRM: dict(type='LRMLoss', hard_ratio=0.5, element='cell')},
        ),
        ('a lower rate', {'optim_wrapper.optimizer.lr': 0.001}),
        ('num_hard=1 scope=level', {LRM: dict(type='LRMLoss', num_hard=1, scope='level')}),
        ('num_hard=2 scope=level', {LRM: dict(type='LRMLoss', num_hard=2, scope='level')}),
    ]
    assert {each.config for each in study.variants[2:]} == {TINY}
    baselines = [each.baseline for each in study.variants]
    assert baselines == [None] + ['yolov2-tiny_kitti'] * 5


@pytest.mark.parametrize(
    ('texts', 'grid', 'message'),
    [
        ([], ['hard_ratio'], "--grid has 'hard_ratio'; give KEY=VALUE"),
        (['hard_ratio=0.1 element'], [], "--variants has 'element'; give KEY=VALUE"),
        (
            ['one: num_hard=1', 'one: num_hard=2'],
            [],
            "2 variants are called 'one'; give each its own name",
        ),
    ],
)
def test_texts_that_say_no_variant_are_refused(texts, grid, message):
    with pytest.raises(StudyError, match=message):
        compare([TINY], texts, grid)


def write_study(folder, text):
    (folder / 'studies').mkdir(exist_ok=True)
    for name in ('a', 'b'):
        (folder / f'{name}.py').write_text('')
    (folder / 'studies/x.py').write_text(text)
    return folder / 'studies/x.py'


def test_a_study_file_says_what_a_command_line_says(tmp_path):
    text = """\
baseline = 'a.py'
_half = dict(hard_ratio=0.5)
variants = [
    'b.py',
    dict(**_half, element='cell'),
    dict(name='3 to 1', type='HardNegativeLoss'),
    {'hard_ratio': 0.1, 'optim_wrapper.optimizer.lr': 0.004},
]
seeds = 2
input_size = (96, 64)
reduced = {'train_dataloader.batch_size': 4}
options = {'model.x': None}
"""
    study = read_study(write_study(tmp_path, text))
    a, b = (str(tmp_path / f'{name}.py') for name in 'ab')
    rate = {'optim_wrapper.optimizer.lr': 0.004}
    assert study == Study(
        (
            Variant('a', a),
            Variant('b', b, {}, 'a'),
            Variant(
                'hard_ratio=0.5 element=cell',
                a,
                {LRM: dict(type='LRMLoss', hard_ratio=0.5, element='cell')},
                'a',
            ),
            Variant('3 to 1', a, {LRM: dict(type='HardNegativeLoss')}, 'a'),
            Variant(
                'hard_ratio=0.1 optim_wrapper.optimizer.lr=0.004',
                a,
                rate | {LRM: dict(type='LRMLoss', hard_ratio=0.1)},
                'a',
            ),
        ),
        options=(
            dict(input_size=(96, 64)),
            {'train_dataloader.batch_size': 4},
            {'model.x': None},
        ),
        seeds=(0, 1),
    )


def test_the_command_line_takes_the_place_of_a_files_settings(tmp_path):
    file = write_study(tmp_path, "baseline = 'a.py'\nvariants = ['b.py']\nseeds = 2\nlast = 3\n")
    study = read_study(file, [{'model.y': 1}], seeds=4, last=None)
    assert (study.seeds, study.last, study.options) == ((0, 1, 2, 3), 3, ({'model.y': 1},))


def test_each_of_several_baselines_has_variants_of_its_own(tmp_path):
    text = """\
baseline = ['a.py', {'name': 'large b', 'config': 'b.py', 'model.size': 9}]
variants = [dict(hard_ratio=0.5)]
"""
    study = read_study(write_study(tmp_path, text))
    found = [(each.label, each.baseline, Path(each.config).stem) for each in study.variants]
    assert found == [
        ('a', None, 'a'),
        ('a, hard_ratio=0.5', 'a', 'a'),
        ('large b', None, 'b'),
        ('large b, hard_ratio=0.5', 'large b', 'b'),
    ]
    assert [each.changes.get('model.size') for each in study.variants] == [None, None, 9, 9]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('x = 1', 'is no study.* the results need a name before the configs'),
        ("baseline = 'a.py'\nvariant = []", 'x.py sets variant; a study may set seeds, last'),
        (
            "baseline = 'a.py'\nvariants = [dict(num_hard=1), dict(num_hard=1)]",
            "2 variants are called 'num_hard=1'; give each its own name",
        ),
    ],
)
def test_a_file_that_is_no_study_is_refused(text, message, tmp_path):
    with pytest.raises(StudyError, match=message):
        read_study(write_study(tmp_path, text))


# --- planning -------------------------------------------------------------------------------------


def test_runs_are_planned_seed_by_seed():
    plan = make_plan(compare([TINY], ['num_hard=9'], seeds=2))
    found = [(run.variant.label, run.seed, run.config.randomness.seed) for run in plan]
    tiny = 'yolov2-tiny_kitti'
    assert found == [(tiny, 0, 0), ('num_hard=9', 0, 0), (tiny, 1, 1), ('num_hard=9', 1, 1)]
    assert [run.changes for run in plan[:2]] == [
        {},
        {LRM: "{'type': 'LRMLoss', 'num_hard': 9}"},
    ]
    assert describe(plan).splitlines() == [
        'yolov2-tiny_kitti: the baseline',
        "num_hard=9: model.bbox_head.lrm={'type': 'LRMLoss', 'num_hard': 9}",
    ]


def test_what_all_runs_share_is_said_of_each_by_what_their_files_lack():
    options = [{'optim_wrapper.optimizer.lr': 0.5, 'train_dataloader.batch_size': 8}]
    (first, second) = make_plan(compare([TINY], ['num_hard=9'], options=options, seeds=1))
    # The batch size is that of the file.
    assert first.common == second.common == {'optim_wrapper.optimizer.lr': '0.5'}
    assert second.config.optim_wrapper.optimizer.lr == 0.5


@pytest.mark.parametrize(
    ('configs', 'texts', 'settings', 'message'),
    [
        ([TINY, 'no.py'], [], {}, "the config 'no.py' is not a file"),
        ([MINED], ['hard_ratio=0.1'], {}, 'has an lrm already'),
        ([TINY, MINED], [], dict(last=16), 'last is 16, and .* trains 15 epochs'),
        (
            [str(CONFIGS / 'yolov2_voc.py')],
            ['hard_ratio=0.1'],
            {},
            'yolov2_voc.py trains by iterations',
        ),
        (
            [TINY, str(CONFIGS / 'yolov2-tiny-transfer_kitti.py')],
            [],
            {},
            r'in more than model.bbox_head.lrm:\n(.*\n)* +optim_wrapper.paramwise_cfg',
        ),
    ],
)
def test_configs_that_may_not_be_compared_are_refused(configs, texts, settings, message):
    study = compare(configs, texts, **settings)
    with pytest.raises(UserError, match=message):
        make_plan(study)


def test_configs_may_differ_in_what_the_study_names():
    other = str(CONFIGS / 'yolov2-tiny-transfer_kitti.py')
    study = compare([TINY, other], differ=['model.backbone.init_cfg', 'optim_wrapper'], seeds=1)
    with pytest.raises(StudyError, match=r'  pretrained: .<absent>. in the baseline'):
        make_plan(study)
    study = replace(study, differ=(*study.differ, 'pretrained'))
    assert 'optim_wrapper.paramwise_cfg.custom_keys' in make_plan(study)[1].changes


def test_a_method_that_starts_from_weights_of_its_own_is_refused():
    study = compare([TINY], ['bias: model.bbox_head.init_conf_prob=0.3'], seeds=1)
    with pytest.raises(StudyError, match='seed 0 bias starts from other weights than yolov2-tiny'):
        check_start(planned_without_data(study))


def test_first_weights_are_told_by_seed():
    plan = check_start(planned_without_data(compare([TINY], ['num_hard=9'], seeds=2)))
    first, same, other, _ = (run.initial_weights for run in plan)
    assert len(first) == 16 and first == same != other


def planned_without_data(study):
    plan = make_plan(study)
    for run in plan:
        run.config.train_dataloader = run.config.val_dataloader = {}
    return plan


def test_variables_of_a_config_are_set_as_by_train_py():
    options = [{'img_scale': (160, 64), 'train_dataloader.batch_size': 2}]
    plan = make_plan(compare([TINY], ['num_hard=9'], options=options, seeds=1))
    for run in plan:
        (resize,) = (
            step for step in run.config.val_dataloader.dataset.pipeline if step.type == 'Resize'
        )
        assert resize.scale == (160, 64) and run.config.train_dataloader.batch_size == 2
    assert list(plan[1].changes) == [LRM]
    with pytest.raises(UserError, match=r"there is no variable 'img_scal'"):
        make_plan(compare([TINY], ['num_hard=9'], options=[{'img_scal': 1}], seeds=1))


def test_what_is_laid_over_has_variables_of_its_own(tmp_path):
    file = tmp_path / 'over.py'
    file.write_text('rate = 0.5\noptim_wrapper = dict(optimizer=dict(lr=rate))\n')
    over = laid_over(file)
    assert over == dict(optim_wrapper=dict(optimizer=dict(lr=0.5)))
    (run, _) = make_plan(compare([TINY], ['num_hard=9'], options=[over], seeds=1))
    assert run.config.optim_wrapper.optimizer.lr == 0.5
    with pytest.raises(UserError, match=r"the overlay '.*no\.py' is not a file"):
        laid_over(tmp_path / 'no.py')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('element=row', "element=row: .*lrm.element is 'row'"),
        ('hard_ratio=2', 'hard_ratio=2: .*lrm.hard_ratio is 2'),
    ],
)
def test_an_option_that_the_model_refuses_is_named_with_its_variant(text, message):
    with pytest.raises(StudyError, match=message):
        check_start(planned_without_data(compare([TINY], [text], seeds=1)))


def test_mining_asked_of_a_head_that_cannot_mine_is_refused_with_the_one_that_can(tmp_path):
    file = tmp_path / 'plain.py'
    file.write_text("_base_ = 'mmdet::yolo/yolov3_d53_8xb8-320-273e_coco.py'\n")
    with pytest.raises(UserError, match=r"set model\.bbox_head\.type='LRMYOLOV3Head'"):
        make_plan(compare([str(file)], ['hard_ratio=0.25'], seeds=1))


def test_a_method_with_seeds_of_its_own_may_start_from_other_weights():
    study = compare([TINY], ['itself: seed_offset=2'], seeds=2)
    plan = check_start(planned_without_data(study))
    assert [(run.seed, run.config.randomness.seed) for run in plan] == [
        *((0, 0), (0, 2), (1, 1), (1, 3)),
    ]
    assert plan[1].changes == {'randomness.seed': '2'}
    assert len({run.initial_weights for run in plan}) == 4


@pytest.mark.parametrize('offset', [1, 0, -5, 2.5, 'x'])
def test_seeds_of_its_own_are_none_of_the_study(offset):
    study = compare([TINY], [f'itself: seed_offset={offset}'], seeds=2)
    with pytest.raises(StudyError, match=r'itself has seed_offset=.*whole number of at least 2'):
        make_plan(study)


def test_hooks_are_the_configs_among_the_options_of_mining(tmp_path):
    text = "baseline = 'a.py'\nvariants = [dict(name='c', num_hard=1, custom_hooks=[])]\n"
    variant = read_study(write_study(tmp_path, text)).variants[1]
    assert variant.changes == {'custom_hooks': [], LRM: dict(type='LRMLoss', num_hard=1)}


def test_data_read_by_a_study_are_its_own_unless_they_are_set(monkeypatch):
    study = replace(compare([TINY], ['num_hard=1'], seeds=1), data=dict(KITTI_ROOT='here'))
    monkeypatch.delenv('KITTI_ROOT', raising=False)
    assert make_plan(study)[0].config.data_root == 'here'
    monkeypatch.setenv('KITTI_ROOT', 'there')
    assert make_plan(study)[0].config.data_root == 'there'


# --- changing configs -----------------------------------------------------------------------------


@pytest.fixture
def config():
    return Config.fromfile(TINY)


@pytest.mark.parametrize('last', [1, 2, 4])
def test_the_last_epochs_are_evaluated_and_no_others(last, config, evaluated_epochs):
    config.train_cfg.val_interval = 15
    found = measured(config, compare([TINY], ['num_hard=1'], last=last), seed=0)
    assert evaluated_epochs(found.train_cfg) == [12, 13, 14, 15][-last:]


def test_no_best_epoch_is_kept(config):
    config.default_hooks.checkpoint.update(save_best='auto', max_keep_ckpts=5)
    study = compare([TINY], ['num_hard=1'], last=4)
    found = measured(config, study, seed=3)
    assert found.randomness.seed == 3
    checkpoint = found.default_hooks.checkpoint
    assert (checkpoint.save_best, checkpoint.max_keep_ckpts) == (None, 2)
    assert config.default_hooks.checkpoint.save_best == 'auto'  # the one given stays


def test_the_first_seed_alone_is_diagnosed(config):
    study = compare([TINY], ['num_hard=1'], diagnose=7, seeds=2)
    hook = dict(type='MiningDiagnosisHook', interval=7)
    assert measured(config, study, seed=0).custom_hooks == [hook]
    assert 'custom_hooks' not in measured(config, study, seed=1)


def test_a_diagnosis_runs_the_first_epochs_of_the_whole_schedule_and_evaluates_none():
    (run,) = make_plan(diagnose(TINY, {'train_dataloader.batch_size': 2}, 3, 5, 'mine'))
    assert run.variant.label == 'mine'
    assert run.config.train_cfg.max_epochs == 3
    assert run.config.val_cfg is run.config.val_dataloader is run.config.val_evaluator is None
    assert run.config.param_scheduler[1].end == 15
    assert run.config.custom_hooks == [dict(type='MiningDiagnosisHook', interval=5)]
    assert run.config.train_dataloader.batch_size == 2


def test_the_schedule_ends_with_the_training(config):
    # Of 15 epochs; the cosine begins after the first and lasts 14.
    change(config, dict(epochs=6))
    warm_up, cosine = config.param_scheduler
    assert config.train_cfg.max_epochs == 6
    assert (cosine.begin, cosine.end, cosine.T_max) == (1, 6, 5)
    assert warm_up.end == 100
    change(config, dict(epochs=1))
    cosine = config.param_scheduler[1]
    assert (cosine.begin, cosine.end, cosine.T_max) == (0, 1, 1)


def test_an_input_size_is_that_of_every_step_that_resizes(config):
    steps = config.train_dataloader.dataset.pipeline
    steps.insert(0, dict(type='RandomFlip', scale=1))
    change(config, dict(input_size=[96, 64]))
    sizes = [step.scale for step in steps if step['type'] == 'Resize']
    assert sizes == [(96, 64)] and steps[0]['scale'] == 1
    for loader in (config.val_dataloader, config.test_dataloader):
        (resize,) = [step for step in loader.dataset.pipeline if step.type == 'Resize']
        assert resize.scale == (96, 64)


def test_darknets_steps_resize_too():
    config = Config.fromfile(CONFIGS / 'yolov2_kitti.py')
    change(config, dict(input_size=(96, 64)))
    steps = config.train_dataloader.dataset.pipeline
    assert [step.scale for step in steps if 'scale' in step] == [(96, 64)]


def test_a_config_that_resizes_nothing_has_no_input_size():
    with pytest.raises(StudyError, match='input_size needs one of Resize, DarknetJitter'):
        change(Config(dict(train_dataloader={})), dict(input_size=(1, 1)))


def test_options_that_delete_do_so_in_every_config(config):
    options = dict(train_cfg=dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=2))
    for each in (config, Config.fromfile(TINY)):
        change(each, options)
        assert each.train_cfg == dict(type='EpochBasedTrainLoop', max_epochs=2)
