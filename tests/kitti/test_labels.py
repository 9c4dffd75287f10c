"""KITTI's label and result files."""

import codecs
import zipfile

import numpy as np
import pytest

from mmdet_lrm.kitti import labels
from mmdet_lrm.kitti.labels import read_objects
from mmdet_lrm.kitti.objects import MAX_SHOWN_PROBLEMS, KittiDataError, KittiObjects
from mmdet_lrm.kitti.rows import FILES_AT_ONCE

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
        (car(occluded='1e300'), False, 'occluded is 1e+300; it must be 0, 1, 2 or 3'),
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


@pytest.mark.parametrize('ends', ['\n', '\r\n', '\r'])
def test_a_byte_order_mark_and_any_ends_of_lines_are_read(tmp_path, ends):
    path = tmp_path / '000000.txt'
    path.write_bytes(codecs.BOM_UTF8 + ends.join([CAR, '', DONTCARE, '']).encode())
    objects = read_objects([path])
    assert objects.types.tolist() == ['Car', 'DontCare']
    assert objects.line.tolist() == [1, 3]


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        (CAR.encode('utf-16'), 'begins with the mark of UTF-16; save it as UTF-8'),
        (CAR.encode() + b'\xe4', f'is not UTF-8: byte 0xe4 at offset {len(CAR)}; save it as UTF-8'),
    ],
)
def test_a_file_of_another_encoding_is_one_problem_that_names_it(tmp_path, data, message):
    path = tmp_path / '000000.txt'
    path.write_bytes(data)
    assert problems_of(path) == [f'{path} {message}']


def test_an_underscore_in_a_type_does_not_make_numbers_suspect(tmp_path):
    objects = read_objects([label_file(tmp_path, car(type='Person_sitting'), CAR)])
    assert objects.types.tolist() == ['Person_sitting', 'Car']
    own = label_file(tmp_path, car(type='my_bus'))
    assert read_objects([own], known_types=('my_bus',)).bbox.tolist() == [[10, 20, 30.5, 40]]


@pytest.mark.parametrize('scored', [False, True])
@pytest.mark.parametrize('odd', ['', '\t', '\r', '# no comment', car(x1='1_0'), car(x1='inf')])
def test_files_written_plainly_are_read_as_others_are(tmp_path, scored, odd):
    # An odd line in front sends files to the slow reader, which has to find the same objects.
    rng = np.random.default_rng(0)
    end = ' 0.5' if scored else ''
    texts = [
        [
            car(x1=f'{x:.2f}', x2=f'{x + 9:.7g}', y1=f'{y:.3e}', y2=f'+{y + 9:.17g}', z='.5') + end
            for x, y in rng.uniform(-1, 999, (rng.integers(0, 4), 2))
        ]
        for _ in range(FILES_AT_ONCE + 3)
    ]
    paths = [label_file(tmp_path, *lines, name=f'{frame}.txt') for frame, lines in enumerate(texts)]
    plain = read_objects(paths, scored=scored)
    for frame in (0, FILES_AT_ONCE):
        label_file(tmp_path, odd, *texts[frame], name=f'{frame}.txt')
    slow = read_objects(paths, scored=scored, problems=[])
    plain.line[np.isin(plain.frame, (0, FILES_AT_ONCE))] += 1
    for name in vars(plain):
        np.testing.assert_array_equal(getattr(plain, name), getattr(slow, name))
    expected = [float(line.split()[4]) for lines in texts for line in lines]
    assert plain.bbox[:, 0].tolist() == expected


def test_results_that_leave_unknown_what_is_not_2d_are_read_column_by_column(tmp_path):
    unknown = 'Car -1 -1 -10 10 20 30 40 -1 -1 -1 -1000 -1000 -1000 -10 0.5'
    shifted = 'Car 5 -1 -1 -10 20 30 40 -1 -1 -1 -1000 -1000 -1000 -10 0.5'
    path = label_file(tmp_path, unknown)
    objects = read_objects([path], scored=True)
    assert objects.bbox.tolist() == [[10, 20, 30, 40]] and objects.score.tolist() == [0.5]
    assert [objects.truncated[0], objects.occluded[0], objects.alpha[0]] == [-1, -1, -10]
    assert objects.dimensions.tolist() == [[-1] * 3]
    assert objects.location.tolist() == [[-1000] * 3] and objects.rotation_y.tolist() == [-10]
    objects = read_objects([label_file(tmp_path, unknown, shifted)], scored=True)
    assert objects.bbox.tolist() == [[10, 20, 30, 40], [-10, 20, 30, 40]]
    assert objects.truncated.tolist() == [-1, 5]
    columns = unknown.split()
    wrong = [
        [*columns, '1'],
        columns[:-1],  # with the one before, two of the right length on average
        [columns[0], '5', *columns[4:]],  # in place of all the columns before the box
        [*columns[:8], '5', columns[-1]],  # and behind it
    ]
    path = label_file(tmp_path, unknown, *map(' '.join, wrong))
    assert [each.removeprefix(f'{path}:')[:13] for each in problems_of(path, scored=True)] == [
        '2: 17 columns',
        '3: 15 columns',
        '4: 14 columns',
        '5: 10 columns',
    ]
    for line in map(' '.join, wrong):
        assert len(problems_of(label_file(tmp_path, line), scored=True)) == 1


def test_any_type_may_occur_where_none_is_known_and_case_does_not_matter(tmp_path):
    lines = [car(type=name) for name in ('car', 'CAR', 'person_Sitting', 'Bus', 'bus')]
    objects = read_objects([label_file(tmp_path, *lines)], known_types=None)
    assert objects.types.tolist() == ['Car', 'Car', 'Person_sitting', 'Bus', 'bus']


def test_a_long_type_is_not_cut(tmp_path):
    name = 'Articulated_lorry_with_trailer'
    assert read_objects([label_file(tmp_path, car(type=name))], known_types=None).types == [name]


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
    assert text.startswith(f'{num} problems') and text.endswith('\n... and 3 more')
    assert f':{MAX_SHOWN_PROBLEMS}: ' in text and f':{MAX_SHOWN_PROBLEMS + 1}: ' not in text


def test_detections_from_a_diverged_model_are_refused():
    with pytest.raises(ValueError, match='boxes of the detections have 2 values that are not'):
        KittiObjects.from_detections([0], ['Car'], [[0, np.inf, 1, np.nan]], [0.5])


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


@pytest.mark.parametrize(
    ('name', 'room'),
    [('read_frames', 'frames'), ('read_split', 'splits'), ('write_results', 'results')],
)
def test_names_are_found_by_their_old_place_with_a_warning(name, room):
    with pytest.warns(FutureWarning, match=f'labels.{name} is now in mmdet_lrm.kitti.{room}'):
        old = getattr(labels, name)
    assert old.__name__ == name and old.__module__ == f'mmdet_lrm.kitti.{room}'
    with pytest.raises(AttributeError, match='nowhere'):
        _ = labels.nowhere
