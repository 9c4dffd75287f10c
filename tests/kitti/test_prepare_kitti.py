import io
import os
import shutil
import zipfile
from pathlib import Path

import prepare_kitti
import pytest
from PIL import Image

from mmdet_lrm.kitti import KittiDataset
from mmdet_lrm.kitti.objects import KittiDataError
from mmdet_lrm.kitti.preparing import prepare, random_splits, usual_splits

FRAMES = ['000000', '000001', '000002', '000003']
LABEL = (
    'Car 0 0 0 10 5 60 50 1 1 1 1 1 1 0\n'  # easy, 45 px high
    'Car 0 1 0 10 5 60 50 1 1 1 1 1 1 0\n'  # moderate
    'DontCare -1 -1 -10 0 0 9 9 -1 -1 -1 -1000 -1000 -1000 -10\n'
)


def png() -> bytes:
    file = io.BytesIO()
    Image.new('RGB', (100, 60)).save(file, 'png')
    return file.getvalue()


@pytest.fixture
def source(tmp_path):
    """Small zip files laid out as the official ones, their unpacked folders, and split lists."""
    files = {
        'image': {f'training/image_2/{frame}.png': png() for frame in FRAMES},
        'label': {f'training/label_2/{frame}.txt': LABEL.encode() for frame in FRAMES},
    }
    files['image']['testing/image_2/000000.png'] = png()
    for name, members in files.items():
        with zipfile.ZipFile(tmp_path / f'{name}.zip', 'w') as archive:
            for member, content in members.items():
                archive.writestr(member, content)
                target = tmp_path / 'unpacked' / member
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
    (tmp_path / 'lists').mkdir()
    (tmp_path / 'lists/train.txt').write_text('000000\n000002\n')
    (tmp_path / 'lists/val.txt').write_text('000001\n')
    return tmp_path


def run(source, *args, images='image.zip', labels='label.zip', split=True) -> Path:
    out = source / 'out'
    lists = ['--split-dir', source / 'lists'] if split else []
    arguments = [out, '--images', source / images, '--labels', source / labels, *lists, *args]
    prepare_kitti.main([str(argument) for argument in arguments])
    return out


def test_zip_files_become_the_tree_that_the_dataset_reads(source, capsys):
    out = run(source)
    dataset = KittiDataset(data_root=str(out))
    assert [dataset.get_data_info(i)['img_id'] for i in range(2)] == ['000000', '000002']
    assert (out / 'ImageSets/val.txt').read_text() == '000001\n'
    assert (out / 'training/image_2/000003.png').read_bytes() == png()
    assert (out / 'testing/image_2/000000.png').exists()
    printed = capsys.readouterr().out
    assert 'train: 2 images' in printed and 'val: 1 images' in printed
    rows = [line.replace(' ', '') for line in printed.splitlines()]
    assert '|Car|2|4|4|4|' in rows  # of two frames: easy, moderate, hard, all
    assert '|Pedestrian|0|0|0|0|' in rows


@pytest.mark.parametrize('link', [False, True])
def test_folders_are_copied_or_linked(source, link):
    args = ['--link'] if link else []
    out = run(source, *args, images='unpacked/training/image_2', labels='unpacked')
    path = out / 'training/image_2/000000.png'
    assert path.is_symlink() == link
    assert path.read_bytes() == png()
    before = os.lstat(path).st_mtime_ns
    run(source, *args, images='unpacked/training/image_2', labels='unpacked')
    assert os.lstat(path).st_mtime_ns == before


def contents(folder) -> dict[str, bytes]:
    """Of all files that are no links, by their names below a folder."""
    files = (path for path in folder.rglob('*') if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize('args', [[], ['--link'], ['--overwrite'], ['--link', '--overwrite']])
@pytest.mark.parametrize('folder', ['unpacked', 'linked'])
def test_a_source_is_never_replaced_by_itself(source, args, folder):
    unpacked = source / 'unpacked'
    before = contents(unpacked)
    if folder == 'linked':  # another output, whose folders are links to those of the source
        (source / 'linked/training').mkdir(parents=True)
        for name in ('training/image_2', 'training/label_2', 'testing'):
            (source / 'linked' / name).symlink_to(unpacked / name)
    sources = ['--images', str(unpacked), '--labels', str(unpacked)]
    prepare_kitti.main([str(source / folder), *sources, '--split', 'random', *args])
    after = contents(unpacked)
    assert {name: after[name] for name in before} == before
    frames = (source / folder / 'ImageSets' / f'{name}.txt' for name in ('train', 'val'))
    assert sorted(''.join(path.read_text() for path in frames).split()) == FRAMES


@pytest.mark.parametrize('args', [[], ['--link'], ['--overwrite'], ['--link', '--overwrite']])
def test_a_source_of_links_to_the_files_that_are_there_leaves_them(source, args):
    unpacked = source / 'unpacked'
    before = contents(unpacked)
    for frame in FRAMES:
        path = source / f'links/training/label_2/{frame}.txt'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(unpacked / f'training/label_2/{frame}.txt')
    sources = ['--images', str(unpacked), '--labels', str(source / 'links')]
    prepare_kitti.main([str(unpacked), *sources, '--split', 'random', *args])
    after = contents(unpacked)
    assert {name: after[name] for name in before} == before


def test_links_stay_unless_copies_are_to_replace_them(source):
    folders = dict(images='unpacked', labels='unpacked')
    path = run(source, '--link', **folders) / 'training/label_2/000001.txt'
    run(source, **folders)
    assert path.is_symlink()
    run(source, '--overwrite', **folders)
    assert not path.is_symlink() and path.read_text() == LABEL
    assert (source / 'unpacked/training/label_2/000001.txt').read_text() == LABEL


def test_a_link_to_itself_is_replaced_by_one_to_the_source(source):
    path = source / 'out/training/label_2/000001.txt'
    path.parent.mkdir(parents=True)
    path.symlink_to(path)
    with pytest.raises(SystemExit, match=r'000001\.txt'):
        run(source, '--link', images='unpacked', labels='unpacked')
    run(source, '--link', '--overwrite', images='unpacked', labels='unpacked')
    assert path.read_text() == LABEL


def test_zip_files_cannot_be_linked(source):
    with pytest.raises(SystemExit, match='linked'):
        run(source, '--link')


def test_a_second_run_extracts_only_what_is_missing(source):
    out = run(source)
    kept, removed = (out / f'training/label_2/{frame}.txt' for frame in FRAMES[:2])
    before = kept.stat().st_mtime_ns
    removed.unlink()
    run(source)
    assert kept.stat().st_mtime_ns == before
    assert removed.read_text() == LABEL


def test_a_different_file_is_an_error_and_kept_unless_overwritten(source):
    out = run(source)
    path = out / 'training/label_2/000001.txt'
    changed = LABEL.replace('45', '46').replace('60 50', '60 51')
    assert len(changed) == len(LABEL)  # so only the checksum tells
    path.write_text(changed)
    with pytest.raises(SystemExit, match=r'000001\.txt'):
        run(source)
    assert path.read_text() == changed
    run(source, '--overwrite')
    assert path.read_text() == LABEL


def test_a_different_split_list_is_an_error_and_kept_unless_overwritten(source):
    out = run(source)
    (source / 'lists/val.txt').write_text('000003\n')
    with pytest.raises(SystemExit, match=r'val\.txt'):
        run(source)
    assert (out / 'ImageSets/val.txt').read_text() == '000001\n'
    run(source, '--overwrite')
    assert (out / 'ImageSets/val.txt').read_text() == '000003\n'


def test_lists_that_are_there_with_the_same_frames_are_left_as_they_are(source):
    (source / 'out').mkdir()
    (source / 'lists').rename(source / 'out/ImageSets')
    (source / 'lists').symlink_to(source / 'out/ImageSets')
    path = source / 'lists/train.txt'
    path.write_bytes(b'000000\r\n\r\n000002')
    for args in ([], ['--overwrite']):
        run(source, *args)
        assert path.read_bytes() == b'000000\r\n\r\n000002'


def test_an_interrupted_run_leaves_no_half_file_and_goes_on(source, monkeypatch):
    def stop(reader, writer, *args):
        writer.write(reader.read(5))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, 'copyfileobj', stop)
        with pytest.raises(KeyboardInterrupt):
            run(source)
    assert not list((source / 'out').rglob('0*.*'))
    out = run(source)
    assert len(list(out.rglob('*.png'))) == 5
    assert not list(out.rglob('*.partial'))


def test_frames_of_the_lists_that_are_missing_are_an_error_unless_allowed(source):
    (source / 'lists/val.txt').write_text('000001\n000009\n')
    message = (
        r'^error: frames are missing: 1 of 2 of val\.txt have no image \(000009\); '
        r'1 of 2 of val\.txt have no label \(000009\)\. .* with --allow-missing$'
    )
    with pytest.raises(SystemExit, match=message):
        run(source)
    assert not (source / 'out').exists()
    out = run(source, '--allow-missing')
    assert (out / 'ImageSets/val.txt').read_text() == '000001\n'


def test_images_that_were_laid_out_before_are_not_missing(source):
    with zipfile.ZipFile(source / 'part.zip', 'w') as archive:
        archive.writestr('training/image_2/000009.png', png())
    run(source)
    (source / 'lists/val.txt').write_text('000009\n')
    with pytest.raises(SystemExit, match=r'have no label \(000009\)'):
        run(source, images='part.zip')
    (source / 'unpacked/training/label_2/000009.txt').write_text(LABEL)
    run(source, '--overwrite', images='part.zip', labels='unpacked')


def test_a_frame_in_both_lists_is_an_error(source):
    (source / 'lists/val.txt').write_text('000002\n')
    with pytest.raises(SystemExit, match='000002'):
        run(source)


def test_a_broken_zip_file_and_a_wrong_one_are_named(source):
    (source / 'image.zip').write_bytes((source / 'image.zip').read_bytes()[:-30])
    with pytest.raises(SystemExit, match='download'):
        run(source)
    with pytest.raises(SystemExit, match='image_2'):
        run(source, images='label.zip')


def test_wrong_labels_are_all_reported(source):
    for frame in FRAMES[:2]:
        (source / f'unpacked/training/label_2/{frame}.txt').write_text('Car 1\n')
    with pytest.raises(SystemExit, match='2 problems'):
        run(source, labels='unpacked')


def test_random_split_is_the_same_for_the_same_seed(source):
    out = run(source, '--split', 'random', '--val-fraction', '0.25', '--seed', '3', split=False)
    lists = [(out / f'ImageSets/{name}.txt').read_text().split() for name in ('train', 'val')]
    assert sorted(lists[0] + lists[1]) == FRAMES
    assert len(lists[1]) == 1
    frames = [f'{i:06}' for i in range(20)]
    first = random_splits(frames, 0.5, seed=0)
    assert first == random_splits(frames[::-1], 0.5, seed=0)
    assert first != random_splits(frames, 0.5, seed=1)
    assert len(random_splits(FRAMES[:2], 0.01, seed=0)['val']) == 1
    with pytest.raises(ValueError, match='val_fraction'):
        random_splits(frames, 1.0, seed=0)


def test_usual_split_needs_its_folder(source, capsys):
    with pytest.raises(SystemExit):
        run(source, split=False)
    assert '--split-dir' in capsys.readouterr().err
    (source / 'lists/val.txt').unlink()
    with pytest.raises(SystemExit, match=r'val\.txt'):
        run(source)


def test_real_labels_and_subset_prepare(shared_dir, source):
    data = shared_dir / 'data'
    out = source / 'real'
    arguments = [
        out,
        '--images',
        data / 'kitti_subset',
        '--labels',
        data / 'data_object_label_2.zip',
    ]
    arguments += ['--split-dir', data / 'kitti_ImageSets', '--allow-missing', '--link']
    with pytest.raises(SystemExit, match='linked'):
        prepare_kitti.main([str(argument) for argument in arguments])
    arguments[4] = data / 'kitti_subset'
    prepare_kitti.main([str(argument) for argument in arguments])
    assert len((out / 'ImageSets/train.txt').read_text().split()) == 564
    assert len((out / 'ImageSets/val.txt').read_text().split()) == 331


def test_problem_list_is_the_library_error(source):
    (source / 'unpacked/training/label_2/000000.txt').write_text('Car 1\n')
    splits = usual_splits(source / 'lists')
    with pytest.raises(KittiDataError) as error:
        prepare(source / 'image.zip', source / 'unpacked', source / 'out', splits)
    assert len(error.value.problems) == 1
