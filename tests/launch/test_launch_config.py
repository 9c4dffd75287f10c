import importlib
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import HistoryBuffer

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs/yolov2-tiny_lrm_kitti.py')


@pytest.fixture
def tools(monkeypatch):
    """Import a program of tools/ as Python does when it runs it: with tools/ on the path."""
    monkeypatch.syspath_prepend(ROOT / 'tools')
    yield importlib.import_module
    sys.modules.pop('train', None)


@pytest.fixture
def train(tools, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    module = tools('train')

    def load(*arguments):
        args = module.parse_args([CONFIG, *arguments])
        cfg = module.load_config(args)
        module.apply_training_options(cfg, args)
        return cfg

    return load


def test_the_work_folder_is_named_after_the_config_unless_given(train):
    assert train().work_dir == 'work_dirs/yolov2-tiny_lrm_kitti'
    assert train('--work-dir', 'elsewhere').work_dir == 'elsewhere'


def test_cfg_options_replace_settings(train):
    cfg = train('--cfg-options', 'train_cfg.max_epochs=3', 'model.bbox_head.lrm.hard_ratio=0.5')
    assert cfg.train_cfg.max_epochs == 3
    assert cfg.model.bbox_head.lrm.hard_ratio == 0.5


@pytest.mark.parametrize(
    ('head', 'remedy'),
    [
        ('YOLOV3Head', r"set model\.bbox_head\.type='LRMYOLOV3Head'"),
        ('SSDHead', r"set model\.bbox_head\.type='LRMSSDHead'"),
        ('RetinaHead', r"mine in a loss of the head: model\.bbox_head\.loss_cls=dict\(type='LRMEl"),
    ],
)
def test_a_head_that_cannot_mine_is_named_with_what_to_do(train, head, remedy):
    message = rf'the config has model\.bbox_head\.lrm, and {head} cannot mine .*{remedy}'
    with pytest.raises(SystemExit, match=message):
        train('--cfg-options', f'model.bbox_head.type={head}')


def test_resume_goes_on_from_the_last_checkpoint_or_the_given_one(train, tmp_path):
    checkpoint = tmp_path / 'epoch_1.pth'
    checkpoint.touch()
    assert not train().resume
    last, given = train('--resume'), train('--resume', str(checkpoint))
    assert (last.resume, last.load_from) == (True, None)
    assert (given.resume, given.load_from) == (True, str(checkpoint))
    with pytest.raises(SystemExit, match=r"checkpoint 'epoch_9\.pth' is not a file"):
        train('--resume', 'epoch_9.pth')


def test_auto_scale_lr_is_switched_on_or_refused(train):
    assert train('--auto-scale-lr').auto_scale_lr.enable
    with pytest.raises(SystemExit, match='--auto-scale-lr needs'):
        train('--auto-scale-lr', '--cfg-options', 'auto_scale_lr={}')


@pytest.mark.skipif(torch.cuda.is_available(), reason='tells what happens without a GPU')
def test_a_launcher_without_a_gpu_is_refused_before_training(train):
    with pytest.raises(SystemExit, match='--launcher pytorch needs a GPU for each process'):
        train('--launcher', 'pytorch')


def test_amp_without_a_gpu_is_refused_before_training(train, monkeypatch):
    module = sys.modules['train']
    monkeypatch.setattr(module, 'get_device', lambda: 'cpu')
    with pytest.raises(SystemExit, match='--amp needs a GPU'):
        train('--amp')
    monkeypatch.setattr(module, 'get_device', lambda: 'cuda')
    assert train('--amp').optim_wrapper.type == 'AmpOptimWrapper'


@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        ('lr', r"--cfg-options got 'lr'; it must be KEY=VALUE"),
        ('model.size=(1,2', 'brackets do not match'),
    ],
)
def test_a_setting_that_is_none_shows_the_usage(train, capsys, setting, message):
    with pytest.raises(SystemExit, match='2'):
        train('--cfg-options', setting)
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    'setting', ['model.bbox_head.lrm.hard_ratio.x=1', 'train_dataloader.dataset.pipeline.99.type=A']
)
def test_a_setting_that_does_not_fit_the_config_is_named(train, setting):
    with pytest.raises(SystemExit, match=f'error: --cfg-options {re.escape(setting)} does not fit'):
        train('--cfg-options', setting)


def test_a_config_of_the_package_is_found_from_any_folder(tools, tmp_path, monkeypatch):
    launch = tools('mmdet_lrm.launch')
    monkeypatch.setattr(launch.mmdet_lrm, '__file__', str(tmp_path / 'mmdet_lrm/__init__.py'))
    path = tmp_path / 'mmdet_lrm/.mim/configs/yolov2_kitti.py'
    assert launch.config_path('mmdet_lrm::yolov2_kitti.py') == str(path)
    assert launch.config_path('configs/mine.py') == 'configs/mine.py'
    with pytest.raises(SystemExit, match=r"'mmcls::a\.py' must be a path, or mmdet_lrm::FILE"):
        launch.config_path('mmcls::a.py')


def test_a_python_without_the_packages_is_told_how_to_get_them():
    program = [sys.executable, '-S', ROOT / 'tools/train.py', CONFIG]
    env = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    ended = subprocess.run(program, env=env, capture_output=True, text=True)
    assert ended.returncode == 1
    assert re.fullmatch(r"error: .* No module named '\w+'\. Use .*make venv.*\n", ended.stderr)


def test_a_missing_config_is_named(tools, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = tools('train')
    with pytest.raises(SystemExit, match=r"config 'typo\.py' is not a file"):
        module.load_config(module.parse_args(['typo.py']))


def test_a_config_whose_package_is_not_installed_says_so(tools, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('config.py').write_text("custom_imports = dict(imports=['not_installed'])\n")
    module = tools('train')
    with pytest.raises(SystemExit, match=r"No module named 'not_installed'.*make venv"):
        module.load_config(module.parse_args(['config.py']))


def test_a_work_folder_that_cannot_be_written_to_is_named(train, tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(SystemExit, match="work folder 'file/run' cannot be written"):
        train('--work-dir', 'file/run')


def test_missing_data_are_named_also_inside_a_wrapper(tools, tmp_path):
    require_data = tools('mmdet_lrm.launch').require_data
    inner = dict(type='KittiDataset', data_root=str(tmp_path / 'kitti'), ann_file='train.txt')
    cfg = Config(
        dict(train_dataloader=dict(dataset=dict(type='RepeatDataset', times=2, dataset=inner)))
    )
    with pytest.raises(SystemExit, match=r"KittiDataset of train_dataloader needs '.*kitti'"):
        require_data(cfg, 'train_dataloader')
    (tmp_path / 'kitti').mkdir()
    with pytest.raises(SystemExit, match=r"needs '.*kitti/train\.txt'"):
        require_data(cfg, 'train_dataloader')
    (tmp_path / 'kitti/train.txt').touch()
    require_data(cfg, 'train_dataloader')


@pytest.mark.parametrize('as_list', [False, True])
def test_a_missing_pretrained_file_is_named_with_its_key(tools, tmp_path, as_list):
    launch = tools('mmdet_lrm.launch')
    init = dict(type='Pretrained', checkpoint=str(tmp_path / 'x.pth'))
    model = dict(
        type='A', backbone=dict(init_cfg=[dict(type='Kaiming'), init] if as_list else init)
    )
    message = f"model.backbone.init_cfg starts from '{tmp_path}/x.pth', which is not a file"
    with pytest.raises(SystemExit, match=re.escape(message)):
        launch.require_pretrained(model, 'model')
    (tmp_path / 'x.pth').touch()
    launch.require_pretrained(model, 'model')
    init['checkpoint'] = 'torchvision://resnet50'
    launch.require_pretrained(model, 'model')


def test_data_of_another_store_than_the_disk_are_not_looked_for(tools):
    dataset = dict(type='CocoDataset', data_root='s3://bucket/coco', ann_file='train.json')
    tools('mmdet_lrm.launch').require_data(
        Config(dict(val_dataloader=dict(dataset=dataset))), 'val_dataloader'
    )


def test_datasets_are_found_in_lists_too(tools):
    parts = [ConfigDict(type='A', data_root='a'), ConfigDict(type='B', data_root='b')]
    loader = ConfigDict(batch_size=2, dataset=dict(type='ConcatDataset', datasets=parts))
    assert [found.type for found in tools('mmdet_lrm.launch').find_datasets(loader)] == ['A', 'B']


def draw_kitti(root, count=4):
    """KITTI's folders with one bright rectangle, a car, in each dark image."""
    images, labels, lists = (
        root / 'training/image_2',
        root / 'training/label_2',
        root / 'ImageSets',
    )
    for folder in (images, labels, lists):
        folder.mkdir(parents=True)
    names = [f'{number:06d}' for number in range(count)]
    for number, name in enumerate(names):
        x1 = 40 + 60 * number
        image = np.zeros((192, 640, 3), dtype=np.uint8)
        image[60:130, x1 : x1 + 120] = 200
        cv2.imwrite(str(images / f'{name}.png'), image)
        car = f'Car 0.00 0 0.00 {x1}.00 60.00 {x1 + 120}.00 130.00 1.50 1.60 3.90 0 1.6 20 0.0\n'
        (labels / f'{name}.txt').write_text(car)
    for split in ('train', 'val'):
        (lists / f'{split}.txt').write_text('\n'.join(names) + '\n')


def program(name, *arguments, **environment):
    ended = subprocess.run(
        [sys.executable, ROOT / 'tools' / name, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-4000:]
    return ended.stdout + ended.stderr


@pytest.mark.slow
def test_training_stops_resumes_and_is_tested(tmp_path):
    draw_kitti(tmp_path / 'kitti')
    work = tmp_path / 'work'
    settings = [
        '--work-dir',
        work,
        '--cfg-options',
        'train_dataloader.batch_size=2',
        *(f'{split}_dataloader.num_workers=0' for split in ('train', 'val', 'test')),
        *(f'{split}_dataloader.persistent_workers=False' for split in ('train', 'val', 'test')),
    ]
    kitti = {'KITTI_ROOT': str(tmp_path / 'kitti')}
    program('train.py', CONFIG, *settings, 'train_cfg.max_epochs=1', **kitti)
    assert (work / 'epoch_1.pth').exists()
    log = program('train.py', CONFIG, '--resume', *settings, 'train_cfg.max_epochs=2', **kitti)
    assert 'resumed epoch: 1' in log
    assert 'Epoch(train)   [1]' not in log
    out = tmp_path / 'predictions.pkl'
    program('test.py', CONFIG, work / 'epoch_2.pth', '--out', out, *settings, **kitti)
    assert out.stat().st_size > 0


def test_a_runs_history_is_read_and_a_crafted_one_is_not(tools, tmp_path):
    class Crafted:
        def __reduce__(self):
            return getattr, (HistoryBuffer, '__init__')

    launch = tools('mmdet_lrm.launch')
    before = torch.serialization.get_safe_globals()
    launch.allow_mmengine_checkpoints()
    torch.save({'loss': HistoryBuffer([1.0, 2.0], [1, 1])}, tmp_path / 'run.pth')
    torch.save({'loss': Crafted()}, tmp_path / 'crafted.pth')
    history = torch.load(tmp_path / 'run.pth', weights_only=True)['loss']
    assert history.mean() == 1.5
    with pytest.raises((ValueError, pickle.UnpicklingError), match=r'HistoryBuffer.*__init__'):
        torch.load(tmp_path / 'crafted.pth', weights_only=True)
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(before)
