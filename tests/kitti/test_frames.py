"""Frames of a split: images, sizes, labels and their boxes."""

from pathlib import Path

import cv2
import pytest
from PIL import Image

from mmdet_lrm.kitti.frames import BOX_TOLERANCE, images_by_frame, read_frames
from mmdet_lrm.kitti.objects import KittiDataError

CAR = 'Car 0.25 1 -1.57 10.00 20.00 30.50 40.00 1.5 1.6 3.7 -2.0 1.7 20.0 1.55'
DONTCARE = 'DontCare -1 -1 -10 1.00 2.00 3.00 4.00 -1 -1 -1 -1000 -1000 -1000 -10'


def car(x1=10, y1=20, x2=30.5, y2=40):
    """CAR with another box."""
    return ' '.join([*CAR.split()[:4], *map(str, (x1, y1, x2, y2)), *CAR.split()[8:]])


@pytest.fixture
def tree(tmp_path):
    """A function that makes images of 100 x 50 px, labels and a split."""

    def make(labels, images=None, split=None):
        for name in ('image_2', 'label_2'):
            (tmp_path / name).mkdir()
        for frame_id, lines in labels.items():
            text = ''.join(f'{line}\n' for line in lines)
            (tmp_path / f'label_2/{frame_id}.txt').write_text(text)
        for name in images or [f'{frame_id}.png' for frame_id in labels]:
            Image.new('RGB', (100, 50)).save(tmp_path / 'image_2' / name)
        (tmp_path / 'train.txt').write_text('\n'.join(split or labels))
        return tmp_path / 'train.txt', tmp_path / 'image_2', tmp_path / 'label_2'

    return make


def test_frames_come_in_the_order_of_the_split_with_size_and_labels(tree):
    paths = tree(
        {'000001': [CAR, DONTCARE], '000002': [], '000003': [CAR]},
        images=['000001.png', '000002.jpg', '000003.jpg', '000003.png'],
        split=['000003', '000002', '000001'],
    )
    frames = read_frames(*paths)
    assert frames.frame_ids == ['000003', '000002', '000001']
    names = [Path(path).name for path in frames.image_paths]
    assert names == ['000003.png', '000002.jpg', '000001.png']
    assert frames.image_sizes.tolist() == [[100, 50]] * 3
    assert frames.objects.frame.tolist() == [0, 2, 2]
    assert frames.num_clipped == 0


def test_frames_without_a_label_folder_have_no_objects(tree):
    split, image_dir, _ = tree({'000001': [CAR]})
    frames = read_frames(split, image_dir, None)
    assert frames.frame_ids == ['000001'] and len(frames.objects) == 0


def test_a_box_that_sticks_out_by_rounding_is_clipped_and_counted(tree):
    edge = BOX_TOLERANCE
    paths = tree(
        {
            '000001': [CAR, car(x1=-edge, y1=-0.01)],
            '000002': [car(x2=100 + edge, y2=50.5), car(x2=100, y2=50)],
        }
    )
    frames = read_frames(*paths)
    assert frames.num_clipped == 2
    assert frames.objects.bbox[1:].tolist() == [
        [0, 0, 30.5, 40],
        [10, 20, 100, 50],
        [10, 20, 100, 50],
    ]
    assert frames.bbox[1].tolist() == [-edge, -0.01, 30.5, 40]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(x1=-1.01), 'the box -1.01 20.00 30.50 40.00 leaves its image of 100 x 50 by 1.01 px'),
        (dict(y2=70), 'the box 10.00 20.00 30.50 70.00 leaves its image of 100 x 50 by 20.00 px'),
    ],
)
def test_a_box_that_leaves_its_image_is_named(tree, change, message):
    split, image_dir, label_dir = tree({'000001': [CAR, car(**change)]})
    with pytest.raises(KittiDataError) as caught:
        read_frames(split, image_dir, label_dir)
    (problem,) = caught.value.problems
    assert problem.startswith(f'{label_dir}/000001.txt:2: {message}')


def test_the_problems_of_split_images_and_labels_come_at_once(tree):
    split, image_dir, label_dir = tree(
        {'000001': ['Car'], '000002': [car(x2=500)], '000004': [car(x2=500)]},
        images=['000001.png', '000002.png', '000003.png'],
        split=['000001', '000002', '000003', '000004', '000001', 'x y'],
    )
    (image_dir / '000001.png').write_bytes(b'no image')
    with pytest.raises(KittiDataError) as caught:
        read_frames(split, image_dir, label_dir)
    expected = [
        f"{split}:6: 'x y' is no frame id",
        f'{split}:5: 000001 stands in line 1 already',
        f'{split}:3: frame 000003 has no label file 000003.txt in {label_dir}',
        f'{split}:4: frame 000004 has no image 000004.png or 000004.jpg in {image_dir}',
        f'{image_dir}/000001.png: no readable png or jpg image',
        f'{label_dir}/000001.txt:1: 1 columns',
        f'{label_dir}/000002.txt:1: the box 10.00 20.00 500.00 40.00 leaves',
    ]
    found = caught.value.problems
    assert len(found) == len(expected)
    for start in expected:
        assert sum(problem.startswith(start) for problem in found) == 1, start


@pytest.mark.parametrize('value', ['inf', '-inf', 'nan', '1e6', '1e300', '1e400'])
@pytest.mark.parametrize('column', ['x1', 'y1', 'x2', 'y2'])
def test_no_box_that_a_loss_cannot_take_comes_in(tree, column, value):
    split, image_dir, label_dir = tree({'000001': [CAR, car(**{column: value})]})
    with pytest.raises(KittiDataError) as caught:
        read_frames(split, image_dir, label_dir)
    assert caught.value.problems
    assert all(each.startswith(f'{label_dir}/000001.txt:2: ') for each in caught.value.problems)


def test_boxes_are_held_against_the_picture_as_it_is_loaded(tree):
    # Stored as 100 x 50 px and turned on loading; the box is inside one of the two only.
    split, image_dir, label_dir = tree({'000001': [car(x2=45, y2=90)], '000002': [car(x2=90)]})
    exif = Image.Exif()
    exif[0x112] = 6
    for name in ('000001.png', '000002.png'):
        Image.new('RGB', (100, 50)).save(image_dir / name, exif=exif)
        assert cv2.imread(str(image_dir / name)).shape == (100, 50, 3)
    with pytest.raises(KittiDataError) as caught:
        read_frames(split, image_dir, label_dir)
    (problem,) = caught.value.problems
    assert problem.startswith(f'{label_dir}/000002.txt:1: ')
    assert 'leaves its image of 50 x 100 by 40.00 px' in problem
    split.write_text('000001')
    assert read_frames(split, image_dir, label_dir).image_sizes.tolist() == [[50, 100]]


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.jpeg', '.PNG', '.JPG', '.JPEG', '.Jpg'])
def test_an_image_may_have_any_usual_suffix(tree, suffix):
    frames = read_frames(*tree({'000001': [CAR]}, images=[f'000001{suffix}']))
    assert [Path(path).name for path in frames.image_paths] == [f'000001{suffix}']


def test_of_several_images_png_in_lower_case_comes_first(tmp_path):
    for name in ('1.JPG', '1.png', '1.PNG', '1.jpg', '2.JPG', '2.jpeg', '._3.png', 'Thumbs.db'):
        (tmp_path / name).touch()
    assert images_by_frame(tmp_path) == {'1': '1.png', '2': '2.JPG'}


@pytest.mark.parametrize('split', ['train', 'val'])
def test_no_official_box_leaves_its_image(shared_dir, split):
    root = shared_dir / 'data' / 'kitti_subset'
    training = root / 'training'
    frames = read_frames(
        root / 'ImageSets' / f'{split}.txt', training / 'image_2', training / 'label_2'
    )
    assert frames.num_clipped == 0
    # Ends are inclusive pixels: the last is width - 1, which is why nothing needs clipping.
    assert (frames.image_sizes[frames.objects.frame] - frames.objects.bbox[:, 2:]).min() == 1
