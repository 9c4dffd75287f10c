"""No checkpoint runs code, by whichever way it is loaded, unless it is trusted."""

import functools
import http.server
import os
import pickle
import re
import threading

import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader

from mmdet_lrm.launch import LaunchError, load_checkpoint
from mmdet_lrm.launch.checkpoints import protect_checkpoints


class Mark:
    """Leaves a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def mark(tmp_path):
    return tmp_path / 'mark'


@pytest.fixture
def crafted(tmp_path, mark):
    torch.save({'state_dict': {}, 'more': Mark(mark)}, tmp_path / 'crafted.pth')
    return tmp_path / 'crafted.pth'


@pytest.fixture
def address(tmp_path, monkeypatch):
    """Of the folder, served by HTTP; what is loaded from there is kept in it too."""
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path))
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


@pytest.mark.parametrize('place', ['file', 'address'])
def test_mmengine_runs_nothing_of_a_checkpoint_unless_it_is_trusted(place, crafted, mark, address):
    source = str(crafted) if place == 'file' else f'{address}/{crafted.name}'
    protect_checkpoints()
    with pytest.raises(pickle.UnpicklingError, match='GLOBAL'):
        CheckpointLoader.load_checkpoint(source, map_location='cpu')
    assert not mark.exists()
    protect_checkpoints(trust=True)
    CheckpointLoader.load_checkpoint(source, map_location='cpu')
    assert mark.exists()


def test_a_refusal_says_what_the_file_holds_and_how_to_load_it(crafted, mark):
    with pytest.raises(
        LaunchError, match=r"crafted\.pth' holds posix\.mkdir beside.*--trust-checkpoint"
    ):
        load_checkpoint(crafted)
    assert not mark.exists()
    protect_checkpoints(trust=True)
    assert load_checkpoint(crafted)['state_dict'] == {}
    assert mark.exists()


def test_a_pickle_that_is_no_checkpoint_is_not_run_either(tmp_path, mark):
    (tmp_path / 'a.pth').write_bytes(pickle.dumps(Mark(mark)))
    with pytest.raises(LaunchError, match='cannot be read as a checkpoint'):
        load_checkpoint(tmp_path / 'a.pth')
    assert not mark.exists()


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('damage', ['cut', 'empty', 'text'])
def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path, zipped, damage):
    path = tmp_path / 'a.pth'
    torch.save({'a': torch.zeros(999)}, path, _use_new_zipfile_serialization=zipped)
    assert load_checkpoint(path)['a'].shape == (999,)
    whole = path.read_bytes()
    path.write_bytes({'cut': whole[:-99], 'empty': b'', 'text': b'hello\n'}[damage])
    with pytest.raises(LaunchError, match=r"^'[^\n]*a\.pth' cannot be read as a[^\n]*$"):
        load_checkpoint(path)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(LaunchError, match=re.escape(f"checkpoint '{tmp_path}/a.pth' is not a")):
        load_checkpoint(tmp_path / 'a.pth')


def test_a_runs_history_is_read_and_a_crafted_one_is_not(tmp_path):
    class Crafted:
        def __reduce__(self):
            return getattr, (HistoryBuffer, '__init__')

    torch.save({'loss': HistoryBuffer([1.0, 2.0], [1, 1])}, tmp_path / 'run.pth')
    torch.save({'loss': Crafted()}, tmp_path / 'crafted.pth')
    assert load_checkpoint(tmp_path / 'run.pth')['loss'].mean() == 1.5
    with pytest.raises(LaunchError, match=r'HistoryBuffer.*__init__'):
        load_checkpoint(tmp_path / 'crafted.pth')
