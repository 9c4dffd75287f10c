import re
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from mmdet_lrm import LRMElementLoss
from mmdet_lrm.study.fairness import differences

CONFIGS = Path(__file__).parents[1] / 'configs'
NAMES = sorted(path.name for path in CONFIGS.glob('*.py'))


def test_there_are_configs():
    assert 'yolov2_lrm_kitti.py' in NAMES


@pytest.mark.parametrize('name', [name for name in NAMES if '_lrm_' in name])
def test_the_overlays_of_a_detector_mine_alike(name):
    # What the comparisons in docs/why.md chose.
    chosen = {
        'yolov2': dict(type='LRMLoss', hard_ratio=0.25),
        'yolov3': dict(type='LRMLoss', hard_ratio=0.25, scope='level'),
        'ssd': dict(type='LRMLoss', hard_ratio=0.05),
    }
    detector = re.match('yolov[23]|ssd', name).group()
    assert Config.fromfile(CONFIGS / name).model.bbox_head.lrm == chosen[detector]


@pytest.mark.parametrize('name', [name for name in NAMES if '_lrm_' in name])
def test_an_overlay_is_the_switch_and_nothing_else(name):
    overlay = Config.fromfile(CONFIGS / name).to_dict()
    baseline = Config.fromfile(CONFIGS / name.replace('_lrm', '')).to_dict()
    assert [key for key, *_ in differences(overlay, baseline)] == ['model.bbox_head.lrm']


DETECTORS = ('yolov2', 'yolov2-tiny', 'yolov3', 'yolov3-mobilenetv2', 'ssd300', 'ssdlite')


@pytest.mark.parametrize('data', ['kitti', 'voc', 'coco', 'bccd'])
def test_every_detector_has_a_baseline_and_its_mined_twin(data):
    expected = {f'{each}_{way}{data}.py' for each in DETECTORS for way in ('', 'lrm_')}
    assert expected <= set(NAMES)


@pytest.mark.parametrize('name', NAMES)
def test_a_config_builds_its_model(name):
    config = Config.fromfile(CONFIGS / name)
    head = MODELS.build(config.model).bbox_head
    mined = re.search(r'_lrm(-late)?_', name) is not None
    assert (head.lrm is not None) == mined
    assert isinstance(head.loss_conf if 'objectness' in name else None, LRMElementLoss) == (
        'objectness' in name
    )
    classes = {'kitti': 3, 'voc': 20, 'coco': 80, 'bccd': 3, 'custom-voc': 3, 'custom-coco': 3}
    assert head.num_classes == classes[Path(name).stem.rsplit('_', 1)[1]]


@pytest.mark.parametrize(
    ('name', 'height', 'width'),
    [
        ('ssd300_voc', 300, 300),
        ('ssd300_kitti', 300, 960),
        ('ssdlite_coco', 320, 320),
        ('ssdlite_kitti', 320, 960),
        ('ssdlite_bccd', 320, 320),
    ],
)
def test_the_priors_of_ssd_cover_the_input(name, height, width):
    config = Config.fromfile(CONFIGS / f'{name}.py')
    resize = [step for step in config.train_pipeline if step.type == 'Resize']
    assert [step.scale for step in resize] == [(width, height)]
    model = MODELS.build(config.model).eval()
    with torch.no_grad():
        scores, _ = model.bbox_head(model.extract_feat(torch.zeros(1, 3, height, width)))
    grids = [each.shape[-2:] for each in scores]
    if name == 'ssd300_voc':
        assert sum(each.shape[1] // 21 * each.shape[2] * each.shape[3] for each in scores) == 8732
    for priors in model.bbox_head.prior_generator.grid_priors(grids, device='cpu'):
        centers = (priors[:, :2] + priors[:, 2:]) / 2
        ends = centers.amin(dim=0) + centers.amax(dim=0)
        # The first centre is as far from the left border as the last one from the right.
        torch.testing.assert_close(
            ends, torch.tensor([width, height], dtype=torch.float32), rtol=0.07, atol=0
        )


def test_the_data_root_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv('KITTI_ROOT', '/elsewhere')
    config = Config.fromfile(CONFIGS / 'yolov2-tiny_kitti.py')
    roots = {config[f'{split}_dataloader'].dataset.data_root for split in ('train', 'val', 'test')}
    assert roots == {'/elsewhere'}
    assert config.val_evaluator.label_dir == '/elsewhere/training/label_2'


@pytest.mark.parametrize('detector', ['yolov2-tiny', 'yolov3-tiny'])
def test_a_transfer_starts_from_the_checkpoint_and_moves_what_is_new_faster(
    detector, tmp_path, monkeypatch
):
    start = MODELS.build(Config.fromfile(CONFIGS / 'yolov2-tiny_kitti.py').model)
    del start.backbone.stages[6]
    torch.save(start.state_dict(), tmp_path / 'start.pth')
    monkeypatch.setenv('PRETRAINED', str(tmp_path / 'start.pth'))
    config = Config.fromfile(CONFIGS / f'{detector}-transfer_kitti.py')
    model = MODELS.build(config.model)
    model.init_weights()
    for name, value in start.backbone.state_dict().items():
        torch.testing.assert_close(model.backbone.state_dict()[name], value)
    groups = build_optim_wrapper(model, config.optim_wrapper).optimizer.param_groups
    rates = {id(group['params'][0]): group['lr'] for group in groups}
    for name, parameter in model.named_parameters():
        old = name.startswith('backbone') and 'stages.6' not in name
        assert rates[id(parameter)] == pytest.approx(2e-4 if old else 2e-3), name


@pytest.mark.parametrize('name', ['yolov2_voc', 'yolov2_kitti'])
def test_the_recipe_of_darknet(name):
    config = Config.fromfile(CONFIGS / f'{name}.py')
    model = MODELS.build(config.model)
    groups = build_optim_wrapper(model, config.optim_wrapper).optimizer.param_groups
    decays = {id(each): group['weight_decay'] for group in groups for each in group['params']}
    for parameter in model.parameters():
        assert decays[id(parameter)] == (5e-4 if parameter.dim() == 4 else 0)
    norms = [each for each in model.backbone.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    assert {(each.momentum, each.eps) for each in norms} == {(0.01, 1e-5)}
    burn_in, steps = config.param_scheduler
    assert (burn_in.type, burn_in.end, burn_in.power) == ('BurnInLR', 1000, 4)
    assert steps.gamma == 0.1 and len(steps.milestones) == 2
    (resize,) = config.model.data_preprocessor.batch_augments
    assert resize.interval == 10 and resize.size_divisor == 32
    types = [step.type for step in config.train_pipeline]
    assert types[2:5] == ['DarknetJitter', 'DarknetHSV', 'RandomFlip']


@pytest.mark.parametrize(
    ('name', 'size'),
    [
        ('ssd300_bccd', (300, 300)),
        ('ssd300_coco', (300, 300)),
        ('ssd300_kitti', (960, 300)),
        ('ssdlite_bccd', (320, 320)),
        ('ssdlite_coco', (320, 320)),
        ('ssdlite_kitti', (960, 320)),
        ('yolov2_bccd', (416, 416)),
        ('yolov2_kitti', (1248, 384)),
        ('yolov2-tiny_kitti', (640, 192)),
        ('yolov3_coco', (416, 416)),
        ('yolov3_kitti', (1248, 384)),
        ('yolov3-mobilenetv2_bccd', (320, 256)),
        ('yolov3-mobilenetv2_kitti', (640, 192)),
    ],
)
def test_a_detector_resizes_everywhere_to_its_own_size(name, size):
    config = Config.fromfile(CONFIGS / f'{name}.py')
    for split in ('train', 'val', 'test'):
        pipeline = config[f'{split}_dataloader'].dataset.pipeline
        assert [step.scale for step in pipeline if 'scale' in step] == [size]


@pytest.mark.parametrize('layout', ['voc', 'coco'])
def test_the_classes_at_the_top_of_a_custom_config_reach_data_and_head(layout, tmp_path):
    text = (CONFIGS / f'yolov3-mobilenetv2_custom-{layout}.py').read_text()
    line = "classes = ('RBC', 'WBC', 'Platelets')"
    assert line in text
    file = tmp_path / 'mine.py'
    file.write_text(text.replace(line, "classes = ('a', 'b')").replace("'./", f"'{CONFIGS}/"))
    config = Config.fromfile(file)
    assert config.model.bbox_head.num_classes == 2
    for split in ('train', 'val', 'test'):
        dataset = config[f'{split}_dataloader'].dataset
        assert dataset.metainfo.classes == ('a', 'b')


def test_the_loss_of_another_head_in_the_readme_builds(tmp_path):
    readme = (CONFIGS.parent / 'README.md').read_text()
    (block,) = re.findall(r"```python\n(_base_ = 'mmdet::.*?)```", readme, flags=re.DOTALL)
    file = tmp_path / 'mine.py'
    file.write_text(block)
    config = Config.fromfile(file)
    config.model.backbone.init_cfg = None
    loss = MODELS.build(config.model).bbox_head.loss_cls
    assert (type(loss), loss.hard_ratio) == (LRMElementLoss, 0.25)
    assert (type(loss.loss).__name__, loss.gamma, loss.alpha) == ('FocalLoss', 2.0, 0.25)
