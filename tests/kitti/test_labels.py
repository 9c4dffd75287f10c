"""KITTI's label and result files."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdet_lrm.kitti.frames import BOX_TOLERANCE, read_frames, read_split
from mmdet_lrm.kitti.labels import read_objects
from mmdet_lrm.kitti.objects import MAX_SHOWN_PROBLEMS, KittiDataError, KittiObjects
from mmdet_lrm.kitti.results import write_results

CAR = 'Car 0.25 1 -1.57 10.00 20.00 30.50 40.00 1.5 1.6 3.7 -2.0 1.7 20.0 1.55'
DONTCARE = 'DontCare -1 -1 -10 1.00 2.00 3.00 4.00 -1 -1 -1 -1000 -1000 -1000 -10'
# The columns of a label by name, so that a test can spoil one of them.
COLUMNS = (
    *('type', 'truncated', 'occluded', 'alpha', 'x1', 'y1', 'x2', 'y2'),
    *('height', 'width', 'length', 'x', 'y', 'z', 'rotation_y'),
)


def car(**changes):
    """CAR with some columns changed."""
    values = dict(zip(COLUMNS, CAR.split(), strict=True)) | changes
    return ' '.join(str(value) for value in values.values())


def label_file(folder, *lines, name='000000.txt'):
    path = folder / name
    path.write_text('\n'.join(lines) + '\n' * bool(lines))
    return path


def problems_of(path, **kwargs):
    with pytest.raises(KittiDataError) as caught:
        read_objects([path], **kwargs)
    return caught.value.problems


def test_columns_land_in_their_fields(tmp_path):
    objects = read_objects([label_file(tmp_path, CAR, DONTCARE)])
    assert objects.types.tolist() == ['Car', 'DontCare']
    assert objects.truncated.tolist() == [0.25, -1]
    assert objects.occluded.tolist() == [1, -1]
    assert objects.alpha.tolist() == [-1.57, -10]
    assert objects.bbox.tolist() == [[10, 20, 30.5, 40], [1, 2, 3, 4]]
    assert objects.dimensions.tolist() == [[1.5, 1.6, 3.7], [-1, -1, -1]]
    assert objects.location.tolist() == [[-2, 1.7, 20], [-1000, -1000, -1000]]
    assert objects.rotation_y.tolist() == [1.55, -10]
    assert objects.score is None
    assert objects.width.tolist() == [20.5, 2] and objects.height.tolist() == [20, 2]


def test_frame_and_line_lead_back_to_the_file_across_blank_lines_and_empty_files(tmp_path):
    paths = [
        label_file(tmp_path, CAR, '', CAR, name='a.txt'),
        label_file(tmp_path, name='b.txt'),
        label_file(tmp_path, CAR + '\r', name='c.txt'),
    ]
    objects = read_objects(paths)
    assert objects.frame.tolist() == [0, 0, 2]
    assert objects.line.tolist() == [1, 3, 1]


def test_selecting_objects_selects_in_every_column(tmp_path):
    objects = read_objects([label_file(tmp_path, CAR, DONTCARE, CAR)])
    chosen = objects[objects.types == 'DontCare']
    assert len(chosen) == 1
    assert chosen.line.tolist() == [2] and chosen.bbox.tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    ('line', 'scored', 'message'),
    [
        (CAR + ' 0.9', False, '16 columns; a line of labels has 15, from type to rotation_y. This'),
        (CAR, True, '15 columns; a line of results has 16, the last its score. This looks like'),
        ('Car 0 0', False, '3 columns; a line of labels has 15'),
        (car(x1='abc'), False, "x1 (column 5) is 'abc'; it must be a finite number"),
        (car(y2='nan'), False, "y2 (column 8) is 'nan'; it must be a finite number"),
        (car(z='-inf'), False, "z (column 14) is '-inf'; it must be a finite number"),
        (car(x2='1_000'), False, "x2 (column 7) is '1_000'; it must be a finite number"),
        (CAR + ' nan', True, "score (column 16) is 'nan'; it must be a finite number"),
        (car(x2=9.99), False, 'x2 = 9.99 is smaller than x1 = 10'),
        (car(y2=19.99), False, 'y2 = 19.99 is smaller than y1 = 20'),
        (car(x2=5) + ' 0.9', True, 'x2 = 5 is smaller than x1 = 10'),
        (car(type='car'), False, "type 'car' is unknown; known are Car, Van, Truck"),
        (car(occluded=4), False, 'occluded is 4; it must be 0, 1, 2 or 3'),
        (car(occluded=0.5), False, 'occluded is 0.5; it must be 0, 1, 2 or 3'),
        (car(truncated=1.01), False, 'truncated is 1.01; it must lie in [0, 1]'),
    ],
)
def test_a_bad_line_is_named_with_file_line_value_and_what_is_allowed(
    tmp_path, line, scored, message
):
    good = CAR + ' 0.5' if scored else CAR
    path = label_file(tmp_path, good, line, good)
    (problem,) = problems_of(path, scored=scored)
    assert problem.startswith(f'{path}:2: {message}')


def test_a_missing_file_is_named(tmp_path):
    (problem,) = problems_of(tmp_path / '000007.txt')
    assert problem.startswith(f'{tmp_path / "000007.txt"}: cannot be read (No such file')


def test_bytes_that_are_no_text_are_a_problem_and_no_crash(tmp_path):
    path = tmp_path / '000000.txt'
    path.write_bytes(b'\xff\xfe ' + CAR.encode()[4:])
    (problem,) = problems_of(path)
    assert 'is unknown' in problem


def test_an_underscore_in_a_type_does_not_make_numbers_suspect(tmp_path):
    objects = read_objects([label_file(tmp_path, car(type='Person_sitting'), CAR)])
    assert objects.types.tolist() == ['Person_sitting', 'Car']
    own = label_file(tmp_path, car(type='my_bus'))
    assert read_objects([own], known_types=('my_bus',)).bbox.tolist() == [[10, 20, 30.5, 40]]


def test_a_box_without_area_is_read(tmp_path):
    assert read_objects([label_file(tmp_path, car(x2=10, y2=20))]).width.tolist() == [0]


def test_all_problems_come_at_once_in_order_of_file_and_line(tmp_path):
    first = label_file(tmp_path, car(type='Bus'), car(x1='?'), 'Car', name='a.txt')
    second = label_file(tmp_path, CAR, car(y2=0), name='b.txt')
    with pytest.raises(KittiDataError, match=r'^4 problems in the KITTI files:') as caught:
        read_objects([first, second])
    where = [problem.split(': ')[0] for problem in caught.value.problems]
    assert where == [f'{first}:1', f'{first}:2', f'{first}:3', f'{second}:2']


def test_a_caller_who_collects_problems_gets_the_good_lines(tmp_path):
    problems = ['one from before']
    objects = read_objects(
        [label_file(tmp_path, 'Car', CAR, car(x1='?'), car(x2=0), DONTCARE)], problems=problems
    )
    assert len(problems) == 4
    assert objects.line.tolist() == [2, 5]


def test_a_long_list_is_cut_in_the_message_and_whole_in_the_attribute(tmp_path):
    num = MAX_SHOWN_PROBLEMS + 3
    with pytest.raises(KittiDataError) as caught:
        read_objects([label_file(tmp_path, *['Car'] * num)])
    assert len(caught.value.problems) == num
    text = str(caught.value)
    assert text.startswith(f'{num} problems') and '... and 3 more' in text
    assert f':{MAX_SHOWN_PROBLEMS}: ' in text and f':{MAX_SHOWN_PROBLEMS + 1}: ' not in text


def test_results_are_written_in_the_format_of_a_submission(tmp_path):
    path = tmp_path / '000001.txt'
    write_results(path, ['Car', 'Cyclist'], [[1, 2.5, 30, 40], [0, 0, 9.25, 8]], [0.75, 1e-3])
    assert path.read_text() == (
        'Car -1 -1 -10 1 2.5 30 40 -1 -1 -1 -1000 -1000 -1000 -10 0.75\n'
        'Cyclist -1 -1 -10 0 0 9.25 8 -1 -1 -1 -1000 -1000 -1000 -10 0.001\n'
    )
    assert os.listdir(tmp_path) == ['000001.txt']


def test_float32_results_are_read_back_exactly(tmp_path):
    rng = np.random.default_rng(0)
    corner, size = rng.uniform(0, 600, (2, 50, 2))
    bbox = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    score = rng.uniform(0, 1, 50).astype(np.float32) ** 8
    path = tmp_path / '000001.txt'
    write_results(path, ['Car'] * 50, bbox, score)
    objects = read_objects([path], scored=True)
    assert np.array_equal(objects.bbox.astype(np.float32), bbox)
    assert np.array_equal(objects.score.astype(np.float32), score)


def test_a_frame_without_detections_is_an_empty_file(tmp_path):
    path = tmp_path / '000001.txt'
    write_results(path, [], np.zeros((0, 4)), np.zeros(0))
    assert path.read_bytes() == b''
    assert len(read_objects([path], scored=True)) == 0


def test_results_that_make_no_sense_leave_the_old_file_as_it_was(tmp_path):
    path = tmp_path / '000001.txt'
    path.write_text('old')
    with pytest.raises(ValueError, match='1 types, 2 boxes and 1 scores'):
        write_results(path, ['Car'], np.zeros((2, 4)), np.zeros(1))
    with pytest.raises(ValueError, match='scores of the detections have 1 values that are not fin'):
        write_results(path, ['Car'], np.zeros((1, 4)), np.array([np.nan]))
    assert path.read_text() == 'old'


def test_a_failed_write_leaves_no_half_file(tmp_path):
    (tmp_path / '000001.txt').mkdir()
    with pytest.raises(OSError):
        write_results(tmp_path / '000001.txt', ['Car'], np.zeros((1, 4)), np.zeros(1))
    assert os.listdir(tmp_path) == ['000001.txt']


def test_detections_from_a_diverged_model_are_refused():
    with pytest.raises(ValueError, match='boxes of the detections have 2 values that are not'):
        KittiObjects.from_detections([0], ['Car'], [[0, np.inf, 1, np.nan]], [0.5])


def test_a_split_keeps_its_order_and_its_line_numbers(tmp_path):
    split = tmp_path / 'train.txt'
    split.write_text('000003\n\n000001\r\n 000002 \n')
    assert list(read_split(split).items()) == [('000003', 1), ('000001', 3), ('000002', 4)]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('000001\n000002.png\n', ":2: '000002.png' is no frame id; a line holds one id such as"),
        ('000001 000002\n', ":1: '000001 000002' is no frame id"),
        ('training/000001\n', ":1: 'training/000001' is no frame id"),
        ('000001\n000002\n000001\n', ':3: 000001 stands in line 1 already; remove one'),
        ('', ': the split is empty; it needs at least one frame id per line'),
        ('\n  \n', ': the split is empty'),
    ],
)
def test_a_bad_split_is_named_with_its_line(tmp_path, text, message):
    split = tmp_path / 'train.txt'
    split.write_text(text)
    with pytest.raises(KittiDataError) as caught:
        read_split(split)
    (problem,) = caught.value.problems
    assert problem.startswith(f'{split}{message}')


@pytest.fixture
def tree(tmp_path):
    """A function that makes images of 100 x 50 px, labels and a split."""

    def make(labels, images=None, split=None):
        for name in ('image_2', 'label_2'):
            (tmp_path / name).mkdir()
        for frame_id, lines in labels.items():
            label_file(tmp_path / 'label_2', *lines, name=f'{frame_id}.txt')
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


def test_all_official_labels_are_without_a_problem(shared_dir, tmp_path):
    with zipfile.ZipFile(shared_dir / 'data' / 'data_object_label_2.zip') as archive:
        archive.extractall(tmp_path)
    paths = sorted((tmp_path / 'training' / 'label_2').glob('*.txt'))
    objects = read_objects(paths)
    assert len(paths) == 7481 and len(objects) == 51865
    assert (objects.types == 'Car').sum() == 28742
    ignored = objects[objects.types == 'DontCare']
    assert set(ignored.truncated) == set(ignored.occluded) == {-1}
    assert set(ignored.location.ravel()) == {-1000}


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
