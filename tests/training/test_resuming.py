"""Which checkpoint of a folder a training goes on from, and what is passed over."""

import re
import shutil

import pytest
import torch

from mmdet_lrm.errors import LaunchError
from mmdet_lrm.launch.resuming import newest_checkpoint


def put(folder, name, number, **more):
    """A checkpoint as a training writes it at the numbered second and iteration."""
    meta = dict(epoch=number, iter=number, time=f'20260101_0000{number:02d}')
    content = dict(meta=meta, message_hub={}, state_dict=dict(w=torch.full((500,), number)))
    torch.save(content | more, folder / name)


@pytest.fixture
def folder(tmp_path):
    """Three checkpoints, the one written last with the smallest number in its name."""
    folder = tmp_path / 'run'
    folder.mkdir()
    for name, number in (('epoch_8.pth', 8), ('epoch_9.pth', 9), ('epoch_1.pth', 10)):
        put(folder, name, number)
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_1.pth'))
    return folder


def start(folder):
    return newest_checkpoint(folder, folder / 'last_checkpoint')


def test_the_checkpoint_written_last_is_taken_whatever_it_is_called(folder):
    assert str(start(folder)) == '--resume: goes on from epoch_1.pth'


def test_copying_a_folder_changes_nothing_and_its_note_is_said(folder, tmp_path):
    copy = tmp_path / 'copy'
    copy.mkdir()
    for name in ('epoch_1.pth', 'epoch_9.pth', 'epoch_8.pth', 'last_checkpoint'):
        (copy / name).write_bytes((folder / name).read_bytes())
    found = start(copy)
    assert found.checkpoint == copy / 'epoch_1.pth'
    assert found.passed_over == [f'last_checkpoint names {folder}/epoch_1.pth, in another folder']


def cut(content):
    return content[: len(content) // 2]


def flip(content):
    """One number of the weights is another."""
    place = content.index(torch.full((500,), 10).numpy().tobytes())
    return content[:place] + b'\xff' + content[place + 1 :]


@pytest.mark.parametrize(
    ('damage', 'reason'),
    [
        (lambda content: b'', 'cannot be read as a checkpoint'),
        (cut, 'cannot be read as a checkpoint'),
        (lambda content: bytes(len(content)), 'cannot be read as a checkpoint'),
        (flip, 'is damaged, in'),
    ],
)
def test_a_damaged_newest_file_is_passed_over_with_its_name_and_reason(folder, damage, reason):
    newest = folder / 'epoch_1.pth'
    newest.write_bytes(damage(newest.read_bytes()))
    found = start(folder)
    assert found.checkpoint == folder / 'epoch_9.pth'
    assert re.search(f'from epoch_9.pth; passed over: .*epoch_1.pth. {reason}', str(found))


@pytest.mark.parametrize(
    ('note', 'said'),
    [('', 'last_checkpoint is empty'), ('epoch_7.pth', 'last_checkpoint names epoch_7.pth, which')],
)
def test_a_note_that_is_empty_or_stale_is_passed_over(folder, note, said):
    (folder / 'last_checkpoint').write_text(note and str(folder / note))
    found = start(folder)
    assert found.checkpoint == folder / 'epoch_1.pth'
    assert found.passed_over[0].startswith(said)


def test_best_checkpoints_and_weights_alone_are_not_gone_on_from(folder):
    put(folder, 'best_mAP_epoch_1.pth', 11)
    torch.save(dict(state_dict={}), folder / 'exported.pth')
    torch.save([1], folder / 'list.pth')
    assert str(start(folder)) == '--resume: goes on from epoch_1.pth'


def test_a_folder_without_checkpoints_begins_anew_and_one_of_damaged_ones_does_not(tmp_path):
    found = start(tmp_path)
    assert str(found) == '--resume: goes on from the beginning, there is no checkpoint'
    (tmp_path / 'epoch_1.pth').write_bytes(b'')
    with pytest.raises(LaunchError, match=r'no whole checkpoint in .*epoch_1\.pth.* begin anew'):
        start(tmp_path)


def test_a_file_that_holds_more_than_weights_is_passed_over_with_the_way_to_trust_it(folder):
    put(folder, 'epoch_2.pth', 12, more=shutil.rmtree)
    found = start(folder)
    assert found.checkpoint == folder / 'epoch_1.pth'
    assert 'shutil.rmtree' in found.passed_over[0] and '--trust-checkpoint' in found.passed_over[0]
