"""Zip files that are damaged, encrypted, of unknown compression, or come from another system."""

import io
import zipfile

import pytest
from PIL import Image

from mmdet_lrm.kitti.preparing import ArchiveError, prepare, random_splits

FRAMES = ('000000', '000001', '000002')
CAR = b'Car 0 0 0 10 5 60 50 1 1 1 1 1 1 0\n'
FIRST = 'training/image_2/000000'


def picture(kind: str = 'png') -> bytes:
    file = io.BytesIO()
    Image.new('RGB', (100, 60)).save(file, kind)
    return file.getvalue()


@pytest.fixture
def layout(tmp_path):
    """A function that zips three frames, changes the images' zip, and prepares both."""

    def make(change=lambda data: data, suffix='.png', extra=(), method=zipfile.ZIP_DEFLATED):
        kind = 'png' if suffix.lower() == '.png' else 'jpeg'
        images = {f'training/image_2/{frame}{suffix}': picture(kind) for frame in FRAMES}
        labels = {f'training/label_2/{frame}.txt': CAR for frame in FRAMES}
        for name, members in (('images', images), ('labels', labels)):
            with zipfile.ZipFile(tmp_path / f'{name}.zip', 'w', method) as archive:
                for member, content in {**members, **dict(extra)}.items():
                    archive.writestr(member, content)
        path = tmp_path / 'images.zip'
        path.write_bytes(change(path.read_bytes()))
        out = tmp_path / 'out'
        prepare(path, tmp_path / 'labels.zip', out, lambda ids: random_splits(ids, 0.4, 0))
        return out

    return make


def headers(data: bytes, name: str) -> tuple[int, int, int]:
    """Where a member's local header, its content and its entry in the directory begin."""
    local = data.index(name.encode()) - 30
    return local, local + 30 + len(name), data.rindex(name.encode()) - 46


def bad_checksum(data: bytes) -> bytes:
    local, _, entry = headers(data, FIRST + '.png')
    changed = bytearray(data)
    changed[local + 14] ^= 1
    changed[entry + 16] ^= 1
    return bytes(changed)


def damaged_content(data: bytes) -> bytes:
    _, content, _ = headers(data, FIRST + '.png')
    return data[: content + 20] + bytes(20) + data[content + 40 :]


def encrypted(data: bytes) -> bytes:
    local, _, entry = headers(data, FIRST + '.png')
    changed = bytearray(data)
    changed[local + 6] |= 1
    changed[entry + 8] |= 1
    return bytes(changed)


def unknown_method(data: bytes) -> bytes:
    local, _, entry = headers(data, FIRST + '.png')
    changed = bytearray(data)
    changed[local + 8] = changed[entry + 10] = 97
    return bytes(changed)


def no_header(data: bytes) -> bytes:
    return b'XX' + data[2:]


def no_directory_entry(data: bytes) -> bytes:
    _, _, entry = headers(data, FIRST + '.png')
    return data[:entry] + b'XX' + data[entry + 2 :]


def name_of_no_encoding(data: bytes) -> bytes:
    _, _, entry = headers(data, FIRST + '.png')
    changed = bytearray(data)
    changed[entry + 9] |= 8  # says that it is UTF-8
    changed[entry + 46] = 0xFF
    return bytes(changed)


def before_the_beginning(data: bytes) -> bytes:
    changed = bytearray(data)
    changed[-6] += 60  # where the directory begins, by which the members' places are reckoned
    return bytes(changed)


@pytest.mark.parametrize(
    ('fault', 'reason'),
    [
        (bad_checksum, 'Bad CRC-32'),
        (damaged_content, ''),
        (encrypted, 'is encrypted'),
        (unknown_method, 'compression'),
        (no_header, 'Bad magic number'),
    ],
)
def test_a_member_that_cannot_be_read_is_named_and_leaves_nothing_behind(
    layout, tmp_path, fault, reason
):
    with pytest.raises(ArchiveError) as caught:
        layout(fault)
    message = str(caught.value)
    assert message.startswith(f'{tmp_path / "images.zip"}: {FIRST}.png cannot be read (')
    assert reason in message and '\n' not in message
    assert message.endswith('Download the file again, or unpack it yourself and give the folder')
    assert not [path for path in tmp_path.rglob('*') if FIRST[-6:] in path.name]


@pytest.mark.parametrize('method', [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_in_any_compression_is_named(layout, method):
    with pytest.raises(ArchiveError, match=rf'{FIRST}\.png cannot be read'):
        layout(damaged_content, method=method)


def test_a_damaged_directory_is_named(layout, tmp_path):
    with pytest.raises(ArchiveError, match=r'images\.zip cannot be read \(Bad magic number'):
        layout(no_directory_entry)
    with pytest.raises(ArchiveError, match=r'images\.zip cannot be read \(.*invalid start byte'):
        layout(name_of_no_encoding)
    with pytest.raises(ArchiveError, match=rf'{FIRST}\.png cannot be read \(.*Invalid argument'):
        layout(before_the_beginning)


def test_half_a_zip_file_is_none(layout):
    with pytest.raises(ArchiveError, match=r'images\.zip is not a zip file, or only a part of one'):
        layout(lambda data: data[: len(data) // 2])


def test_what_can_be_seen_in_the_directory_is_said_before_anything_is_written(layout, tmp_path):
    for fault in (encrypted, unknown_method):
        with pytest.raises(ArchiveError):
            layout(fault)
        assert not (tmp_path / 'out').exists()


def test_a_full_disk_is_not_blamed_on_the_zip_file(layout, monkeypatch, tmp_path):
    def full(reader, writer, *args):
        reader.read(5)
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('shutil.copyfileobj', full)
    with pytest.raises(OSError, match='No space left'):
        layout()
    assert not list(tmp_path.rglob('*.partial'))


def test_what_other_systems_keep_beside_the_data_is_passed_over(layout):
    junk = ['__MACOSX/training/image_2/._000000.png', '__MACOSX/training/label_2/._000000.txt']
    for name in ('._000001.png', '._000001.txt', '.DS_Store', 'Thumbs.db'):
        junk += [f'training/image_2/{name}', f'training/label_2/{name}']
    out = layout(extra=[(name, b'\0\5\x16\7') for name in junk])
    files = {path.relative_to(out).as_posix() for path in out.rglob('*') if path.is_file()}
    assert files == {
        *(f'training/image_2/{frame}.png' for frame in FRAMES),
        *(f'training/label_2/{frame}.txt' for frame in FRAMES),
        'ImageSets/train.txt',
        'ImageSets/val.txt',
    }


def test_system_files_in_folders_are_passed_over_as_well(layout, tmp_path):
    out = layout()
    for name in ('image_2/._000001.png', 'label_2/._000001.txt', 'label_2/.DS_Store'):
        (out / 'training' / name).write_bytes(b'\0\5\x16\7')
    again = tmp_path / 'again'
    prepare(out, out, again, lambda ids: random_splits(ids, 0.4, 0))
    assert sorted(path.name for path in (again / 'training/label_2').iterdir()) == [
        f'{frame}.txt' for frame in FRAMES
    ]
    assert sorted(path.name for path in (again / 'training/image_2').iterdir()) == [
        f'{frame}.png' for frame in FRAMES
    ]


@pytest.mark.parametrize('suffix', ['.JPG', '.jpeg', '.PNG'])
def test_images_of_any_usual_suffix_are_placed_from_zip_files_and_folders(layout, tmp_path, suffix):
    out = layout(suffix=suffix)
    again = tmp_path / 'again'
    prepare(out, out, again, lambda ids: random_splits(ids, 0.4, 0))
    for folder in (out, again):
        names = sorted(path.name for path in (folder / 'training/image_2').iterdir())
        assert names == [f'{frame}{suffix}' for frame in FRAMES]
        lists = [(folder / f'ImageSets/{name}.txt').read_text() for name in ('train', 'val')]
        assert sorted(''.join(lists).split()) == list(FRAMES)
