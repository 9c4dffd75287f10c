"""The config of a run, as the command lines of train.py and test.py ask for it."""

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmdet_lrm import launch
from mmdet_lrm.errors import UserError
from mmdet_lrm.launch import LaunchError, run

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs/yolov2-tiny_lrm_kitti.py')
BASELINE = str(ROOT / 'configs/yolov2-tiny_kitti.py')


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with as much of KITTI in it as is looked for."""
    (tmp_path / 'kitti/ImageSets').mkdir(parents=True)
    for split in ('train', 'val'):
        (tmp_path / f'kitti/ImageSets/{split}.txt').touch()
    monkeypatch.setenv('KITTI_ROOT', str(tmp_path / 'kitti'))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def train(folder):
    """The config that a command line of train.py makes."""

    def load(*arguments, config=CONFIG):
        return launch.training_config(launch.training_parser().parse_args([config, *arguments]))

    return load


@pytest.fixture
def test(folder):
    """The config that a command line of test.py makes."""

    def load(checkpoint, *arguments, config=CONFIG):
        args = launch.testing_parser().parse_args([config, str(checkpoint), *arguments])
        return launch.testing_config(args)

    return load


@pytest.fixture
def checkpoint(folder):
    torch.save({'state_dict': {}}, folder / 'epoch_1.pth')
    return str(folder / 'epoch_1.pth')


@pytest.fixture
def crafted(folder):
    """A checkpoint that makes a folder, mark, when it is unpickled."""
    torch.save({'state_dict': {}, 'more': Mark()}, folder / 'crafted.pth')
    return str(folder / 'crafted.pth')


class Mark:
    def __reduce__(self):
        return os.mkdir, ('mark',)


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
    with pytest.raises(LaunchError, match=message):
        train('--cfg-options', f'model.bbox_head.type={head}')


def test_the_miner_is_switched_on_by_a_dict_as_one_types_it_in_a_shell(train):
    line = """--cfg-options model.bbox_head.lrm="dict(type='LRMLoss', hard_ratio=0.25)" """
    assert train(*shlex.split(line), config=BASELINE).model == train().model


def test_resume_goes_on_from_the_last_checkpoint_or_the_given_one(train, checkpoint):
    assert not train().resume
    last = finished(Path('work'))
    assert start(train('--resume', '--work-dir', 'work')) == (True, last)
    assert start(train('--resume', checkpoint)) == (True, checkpoint)
    with pytest.raises(LaunchError, match=r"checkpoint 'epoch_9\.pth' is not a file"):
        train('--resume', 'epoch_9.pth')


def start(cfg) -> tuple[bool, str | None]:
    """Whether the Runner goes on from a checkpoint, and which one it loads."""
    return cfg.resume, cfg.load_from


def finished(folder: Path) -> str:
    """The first checkpoint of a training in this folder."""
    folder.mkdir()
    meta = dict(epoch=1, iter=2, time='20260101_000000')
    torch.save(dict(meta=meta, message_hub={}, state_dict={}), folder / 'epoch_1.pth')
    return str(folder / 'epoch_1.pth')


@pytest.mark.parametrize('way', ['config', '--cfg-options'])
def test_resume_wins_over_where_the_config_starts_from_once_there_is_a_checkpoint(
    train, checkpoint, way
):
    Path('config.py').write_text(f"_base_ = '{CONFIG}'\nload_from = '{checkpoint}'\n")
    arguments, config = ['--work-dir', 'work'], 'config.py'
    if way == '--cfg-options':
        arguments, config = [*arguments, '--cfg-options', f'load_from={checkpoint}'], CONFIG
    assert start(train(*arguments, config=config)) == (False, checkpoint)
    # Killed before its first checkpoint, it begins as it did.
    assert start(train('--resume', *arguments, config=config)) == (False, checkpoint)
    shutil.rmtree('work')
    last = finished(Path('work'))
    assert start(train('--resume', *arguments, config=config)) == (True, last)


@pytest.mark.parametrize('note', ['', 'work/epoch_3.pth', 'elsewhere/epoch_1.pth'])
@pytest.mark.parametrize('way', [['--resume'], ['--cfg-options', 'resume=True']])
def test_a_note_without_its_checkpoint_starts_nothing(train, capsys, note, way):
    """MMEngine goes on from whatever the note names, if it is told to resume."""
    finished(Path('elsewhere'))
    Path('work').mkdir()
    Path('work/last_checkpoint').write_text(note)
    assert start(train('--work-dir', 'work', *way)) == (False, None)
    assert 'goes on from the beginning, there is no checkpoint; passed over: last_checkpoint' in (
        capsys.readouterr().out
    )


def test_what_a_config_resumes_from_is_so_also_where_the_work_folder_has_none(train, checkpoint):
    options = ['--cfg-options', 'resume=True', f'load_from={checkpoint}']
    for way in ([], ['--resume']):
        assert start(train(*options, *way)) == (True, checkpoint)


def test_without_a_checkpoint_what_a_model_starts_from_must_be_there(train):
    init = 'model.backbone.init_cfg=dict(type=Pretrained, checkpoint="none.pth")'
    with pytest.raises(LaunchError, match=r"init_cfg starts from 'none\.pth', which is not a file"):
        train('--resume', '--cfg-options', init)
    with pytest.raises(LaunchError, match=r"the checkpoint 'none\.pth' is not a file"):
        train('--resume', '--cfg-options', 'load_from=none.pth')


def test_a_config_need_not_say_where_it_starts_from(train):
    whole = Config.fromfile(CONFIG)
    for key in ('resume', 'load_from'):
        whole.pop(key)
    whole.dump('config.py')
    assert train(config='config.py').get('load_from') is None


def test_a_checkpoint_that_a_config_starts_from_and_lacks_is_named(train):
    with pytest.raises(LaunchError, match=r"the checkpoint 'none\.pth' is not a file"):
        train('--cfg-options', 'load_from=none.pth')
    assert train('--cfg-options', 'load_from=https://a.b/c.pth').load_from == 'https://a.b/c.pth'


@pytest.mark.parametrize('way', ['--resume FILE', '--resume', 'load_from', 'init_cfg', 'test.py'])
def test_a_crafted_checkpoint_is_refused_before_its_code_runs(way, train, test, crafted):
    Path('work').mkdir()
    shutil.copy(crafted, 'work/epoch_1.pth')
    init = f'model.backbone.init_cfg=dict(type=Pretrained, checkpoint="{crafted}")'
    ways = {
        '--resume FILE': lambda: train('--resume', crafted),
        '--resume': lambda: train('--resume', '--work-dir', 'work'),
        'load_from': lambda: train('--cfg-options', f'load_from={crafted}'),
        'init_cfg': lambda: train('--cfg-options', init),
        'test.py': lambda: test(crafted),
    }
    with pytest.raises(LaunchError, match=r'holds posix\.mkdir .*--trust-checkpoint'):
        ways[way]()
    assert not Path('mark').exists()


def test_a_trusted_checkpoint_is_left_to_the_run(train, test, crafted):
    assert train('--resume', crafted, '--trust-checkpoint').load_from == crafted
    assert test(crafted, '--trust-checkpoint').load_from == crafted
    assert not Path('mark').exists()


def test_predictions_go_to_a_pickle(test, checkpoint, capsys):
    assert test(checkpoint, '--out', 'a.pkl').load_from == checkpoint
    with pytest.raises(SystemExit, match='2'):
        test(checkpoint, '--out', 'a.json')
    assert "argument --out: 'a.json' must end in .pkl or .pickle" in capsys.readouterr().err


def test_auto_scale_lr_is_switched_on_or_refused(train):
    assert train('--auto-scale-lr').auto_scale_lr.enable
    with pytest.raises(LaunchError, match='--auto-scale-lr needs'):
        train('--auto-scale-lr', '--cfg-options', 'auto_scale_lr=dict(_delete_=True)')


@pytest.mark.skipif(torch.cuda.is_available(), reason='tells what happens without a GPU')
@pytest.mark.parametrize(
    ('launcher', 'message'),
    [
        ('slurm', r'--launcher slurm needs a GPU for each process .*; start .* with torchrun'),
        ('pytorch', '--launcher pytorch is for processes that torchrun started'),
    ],
)
def test_a_launcher_that_cannot_work_is_refused_before_training(
    train, monkeypatch, launcher, message
):
    monkeypatch.delenv('RANK', raising=False)
    with pytest.raises(LaunchError, match=message):
        train('--launcher', launcher)


def test_amp_without_a_gpu_is_refused_before_training(train, monkeypatch):
    monkeypatch.setattr(run, 'get_device', lambda: 'cpu')
    with pytest.raises(LaunchError, match='--amp needs a GPU'):
        train('--amp')
    monkeypatch.setattr(run, 'get_device', lambda: 'cuda')
    assert train('--amp').optim_wrapper.type == 'AmpOptimWrapper'


@pytest.mark.parametrize(
    'setting', ['model.bbox_head.lrm.hard_ratio.x=1', 'train_dataloader.dataset.pipeline.99.type=A']
)
def test_a_setting_that_does_not_fit_the_config_is_named(train, setting):
    with pytest.raises(LaunchError, match=f'--cfg-options {re.escape(setting)} does not fit'):
        train('--cfg-options', setting)


def test_a_config_of_the_package_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = launch.config_path('mmdet_lrm::yolov2_kitti.py')
    assert os.path.samefile(path, ROOT / 'configs/yolov2_kitti.py')
    assert launch.config_path('configs/mine.py') == 'configs/mine.py'
    with pytest.raises(LaunchError, match=r"'mmcls::a\.py' must be a path, or mmdet_lrm::FILE"):
        launch.config_path('mmcls::a.py')
    with pytest.raises(UserError, match=r"no config 'yolo2_kitti\.py' .* yolov2_kitti"):
        launch.config_path('mmdet_lrm::yolo2_kitti.py')


def test_a_missing_config_is_named(train):
    with pytest.raises(LaunchError, match=r"config 'typo\.py' is not a file"):
        train(config='typo.py')


def test_a_config_whose_package_is_not_installed_says_so(train):
    Path('config.py').write_text("custom_imports = dict(imports=['not_installed'])\n")
    with pytest.raises(LaunchError, match=r"'not_installed'.*PYTHONPATH.*make venv"):
        train(config='config.py')


def test_a_work_folder_that_cannot_be_written_to_is_named(train, tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(LaunchError, match="work folder 'file/run' cannot be written"):
        train('--work-dir', 'file/run')


def test_missing_data_are_named_also_inside_a_wrapper(tmp_path):
    inner = dict(type='KittiDataset', data_root=str(tmp_path / 'kitti'), ann_file='train.txt')
    cfg = Config(
        dict(train_dataloader=dict(dataset=dict(type='RepeatDataset', times=2, dataset=inner)))
    )
    with pytest.raises(LaunchError, match=r"KittiDataset of train_dataloader needs '.*kitti'"):
        launch.require_data(cfg, 'train_dataloader')
    (tmp_path / 'kitti').mkdir()
    with pytest.raises(LaunchError, match=r"needs '.*kitti/train\.txt'"):
        launch.require_data(cfg, 'train_dataloader')
    (tmp_path / 'kitti/train.txt').touch()
    launch.require_data(cfg, 'train_dataloader')


@pytest.mark.parametrize('as_list', [False, True])
def test_a_missing_pretrained_file_is_named_with_its_key(tmp_path, as_list):
    init = dict(type='Pretrained', checkpoint=str(tmp_path / 'x.pth'))
    model = dict(
        type='A', backbone=dict(init_cfg=[dict(type='Kaiming'), init] if as_list else init)
    )
    message = f"model.backbone.init_cfg starts from '{tmp_path}/x.pth', which is not a file"
    with pytest.raises(LaunchError, match=re.escape(message)):
        launch.require_pretrained(model)
    torch.save({}, tmp_path / 'x.pth')
    launch.require_pretrained(model)
    init['checkpoint'] = 'torchvision://resnet50'
    launch.require_pretrained(model)


def test_data_of_another_store_than_the_disk_are_not_looked_for():
    dataset = dict(type='CocoDataset', data_root='s3://bucket/coco', ann_file='train.json')
    launch.require_data(Config(dict(val_dataloader=dict(dataset=dataset))), 'val_dataloader')
