"""train.py and test.py as one runs them."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmdet_lrm.kitti.drawing import draw_kitti
from mmdet_lrm.launch import load_checkpoint

TOOLS = Path(__file__).parents[2] / 'tools'
CONFIG = str(TOOLS.parent / 'configs/yolov2-tiny_lrm_kitti.py')
SPLITS = ('train', 'val', 'test')
SETTINGS = [
    '--cfg-options',
    'train_dataloader.batch_size=2',
    'train_cfg.val_interval=1',
    *(f'{split}_dataloader.num_workers=0' for split in SPLITS),
    *(f'{split}_dataloader.persistent_workers=False' for split in SPLITS),
]


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return draw_kitti(tmp_path_factory.mktemp('data') / 'kitti', 4, 4)


class Mark:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def run(command, data):
    env = {**os.environ, 'KITTI_ROOT': str(data)}
    return subprocess.run(command, env=env, capture_output=True, text=True)


def output(command, data):
    ended = run(command, data)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-4000:]
    return ended.stdout + ended.stderr


def test_a_python_without_the_packages_is_told_how_to_get_them():
    program = [sys.executable, '-S', TOOLS / 'train.py', CONFIG]
    env = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    ended = subprocess.run(program, env=env, capture_output=True, text=True)
    assert ended.returncode == 1
    assert re.fullmatch(r"error: .* No module named '\w+'\. Use .*make venv.*\n", ended.stderr)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['train.py', 'test.py'])
@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        ('model.bbox_head.lrm.hard_ratio=25%', "lrm.hard_ratio is '25%'; it must lie in"),
        ('model.bbox_head.num_classes=2', 'problem in the data:'),
    ],
)
def test_what_cannot_be_meant_is_told_before_any_log_and_leaves_nothing(
    data, tmp_path, name, setting, message
):
    torch.save({'state_dict': {}}, tmp_path / 'x.pth')
    checkpoint = [tmp_path / 'x.pth'] if name == 'test.py' else []
    options = ['--work-dir', tmp_path / 'run', '--cfg-options', setting]
    refused = run([sys.executable, TOOLS / name, CONFIG, *checkpoint, *options], data)
    assert refused.returncode == 1
    assert message in next(each for each in refused.stderr.splitlines() if 'error: ' in each)
    assert 'System environment' not in refused.stdout
    assert list((tmp_path / 'run').iterdir()) == []


@pytest.mark.slow
def test_damaged_images_are_named_before_a_training(tmp_path):
    root = draw_kitti(tmp_path / 'kitti', 2, 2)
    broken = sorted((root / 'training/image_2').iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:-200])
    command = [sys.executable, TOOLS / 'train.py', CONFIG, '--work-dir', tmp_path / 'run']
    refused = run([*command, '--check-images'], root)
    assert refused.returncode == 1
    last = refused.stderr.splitlines()[-1]
    assert last.startswith(f"error: 1 of 4 images cannot be decoded whole: '{broken}' (")


@pytest.mark.slow
def test_training_stops_resumes_and_is_tested(data, tmp_path):
    train, test = ([sys.executable, TOOLS / name, CONFIG] for name in ('train.py', 'test.py'))
    settings, work = ['--work-dir', tmp_path, *SETTINGS], tmp_path
    output([*train, *settings, 'train_cfg.max_epochs=1'], data)
    assert (work / 'epoch_1.pth').exists()
    log = output([*train, '--resume', *settings, 'train_cfg.max_epochs=2'], data)
    assert 'resumed epoch: 1' in log
    assert 'Epoch(train)   [1]' not in log
    out = work / 'predictions.pkl'
    output([*test, work / 'epoch_2.pth', '--out', out, *settings], data)
    assert out.stat().st_size > 0


@pytest.mark.slow
@pytest.mark.parametrize('program', [['train.py', CONFIG, '--resume'], ['test.py', CONFIG]])
def test_a_crafted_checkpoint_runs_only_when_it_is_trusted(data, tmp_path, program):
    torch.save({'state_dict': {}, 'more': Mark(tmp_path / 'mark')}, tmp_path / 'crafted.pth')
    name, *arguments = program
    command = [sys.executable, TOOLS / name, *arguments, tmp_path / 'crafted.pth']
    command += ['--work-dir', tmp_path, *SETTINGS]
    refused = run(command, data)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith(
        f"error: '{tmp_path}/crafted.pth' holds posix.mkdir beside weights"
    )
    assert not (tmp_path / 'mark').exists()
    run([*command, '--trust-checkpoint'], data)
    assert (tmp_path / 'mark').exists()


@pytest.mark.slow
def test_two_processes_train_without_a_gpu_and_say_so(data, tmp_path):
    with socket.socket() as free:
        free.bind(('localhost', 0))
        port = free.getsockname()[1]
    command = [
        *('env', f'PYTHON={sys.executable}', f'PORT={port}', 'CUDA_VISIBLE_DEVICES='),
        *(TOOLS / 'dist_train.sh', CONFIG, '2', '--work-dir', tmp_path),
        *(*SETTINGS, 'train_dataloader.batch_size=1', 'train_cfg.max_epochs=1'),
    ]
    log = output(command, data)
    assert log.count('PyTorch sees no GPU: 2 processes on the CPU, joined by gloo') == 1
    # four images, one a process and step
    checkpoint = load_checkpoint(tmp_path / 'epoch_1.pth')
    assert checkpoint['meta']['iter'] == 2
    assert checkpoint['state_dict']['bbox_head.images_seen'] == 4
