import json

import cv2
import numpy as np
import pytest

from mmdet_lrm.kitti.drawing import STAMP, Thing, _label, draw_frame, draw_kitti
from mmdet_lrm.kitti.frames import read_frames


def files(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob('*')
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_files_and_more_frames_change_none(tmp_path):
    small = files(draw_kitti(tmp_path / 'small', num_train=2, num_val=1, seed=3))
    again = files(draw_kitti(tmp_path / 'again', num_train=2, num_val=1, seed=3))
    more = files(draw_kitti(tmp_path / 'more', num_train=2, num_val=2, seed=3))
    other = files(draw_kitti(tmp_path / 'other', num_train=2, num_val=1, seed=4))
    assert small == again
    assert all(more[name] == small[name] for name in small if name.startswith('training/'))
    assert other['training/image_2/000000.jpg'] != small['training/image_2/000000.jpg']


def test_the_labels_pass_the_checks_and_have_every_kind_of_object(tmp_path):
    root = draw_kitti(tmp_path / 'drawn', num_train=30, num_val=1)
    prefix = root / 'training'
    frames = read_frames(root / 'ImageSets/train.txt', prefix / 'image_2', prefix / 'label_2')
    objects = frames.objects
    types = set(objects.types.tolist())
    assert {'Car', 'Van', 'Pedestrian', 'Cyclist', 'DontCare'} <= types
    real = objects.types != 'DontCare'
    assert objects.occluded[real].min() == 0 and objects.occluded[real].max() >= 2
    assert objects.truncated[real].min() == 0 and objects.truncated[real].max() > 0.2
    assert objects.height[real].min() < 25 and objects.height[real].max() > 120
    assert np.unique(objects.frame[real]).size < 31  # some frame is empty


def test_parked_cars_touch_their_neighbours_and_are_the_most():
    _, labels = draw_frame(np.random.default_rng([0, 3]), parked=True)
    cars = np.array([line.split()[4:8] for line in labels if line.startswith('Car')], float)
    assert len(cars) > len(labels) / 2
    gaps = np.abs(cars[:, None, 0] - cars[None, :, 2]).min(axis=1)
    assert (gaps < 0.35 * (cars[:, 2] - cars[:, 0])).mean() > 0.5


def test_a_set_with_parked_cars_is_another(tmp_path):
    plain = files(draw_kitti(tmp_path, num_train=1, num_val=1))
    parked = files(draw_kitti(tmp_path, num_train=1, num_val=1, parked=True))
    assert parked['training/image_2/000000.jpg'] != plain['training/image_2/000000.jpg']
    assert files(draw_kitti(tmp_path, num_train=1, num_val=1)) == plain


def test_a_car_cut_in_half_by_the_border_and_mostly_hidden():
    line = _label(Thing('Car', (-50.0, 100.0, 50.0, 160.0), 20.0, (1.5, 3.0)), visible=0.3)
    assert line.split()[:8] == ['Car', '0.50', '2', '0.00', '0.00', '100.00', '50.00', '160.00']
    assert len(line.split()) == 15


def test_what_lies_outside_the_image_has_no_label():
    assert _label(Thing('Car', (-90.0, 100.0, -10.0, 160.0), 20.0, (1.5, 3.0)), 1.0) == ''


def test_an_object_shows_in_the_image():
    image, labels = draw_frame(np.random.default_rng([0, 0]))
    assert image.shape == (375, 1242, 3) and image.dtype == np.uint8
    assert cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).std() > 10
    assert any(label.startswith('Car') for label in labels)


def test_a_complete_set_is_kept_and_an_interrupted_one_drawn_anew(tmp_path):
    root = draw_kitti(tmp_path, num_train=1, num_val=1)
    image = root / 'training/image_2/000000.jpg'
    image.write_bytes(b'kept')
    draw_kitti(tmp_path, num_train=1, num_val=1)
    assert image.read_bytes() == b'kept'
    stamp = json.loads((root / STAMP).read_text())
    (root / STAMP).write_text(json.dumps(stamp | dict(complete=False)))
    draw_kitti(tmp_path, num_train=1, num_val=1)
    assert image.read_bytes() != b'kept'


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / 'mine.txt').write_text('mine')
    with pytest.raises(FileExistsError, match='holds files that were not drawn here'):
        draw_kitti(tmp_path)
    assert files(tmp_path) == {'mine.txt': b'mine'}


@pytest.mark.parametrize(
    'name, text', [('drawn.json', '{"a": 1}'), ('drawn.json', 'no JSON'), ('training/note.md', 'x')]
)
def test_a_drawn_set_is_redrawn_only_if_all_of_it_was_drawn(tmp_path, name, text):
    draw_kitti(tmp_path, num_train=1, num_val=1)
    (tmp_path / name).write_text(text)
    before = files(tmp_path)
    with pytest.raises(FileExistsError, match='holds files that were not drawn here'):
        draw_kitti(tmp_path, num_train=2, num_val=1)
    assert files(tmp_path) == before


@pytest.mark.parametrize('options', [dict(num_train=0), dict(num_val=0), dict(seed=-1)])
def test_numbers_that_are_too_small_are_refused(tmp_path, options):
    with pytest.raises(ValueError, match='at least one frame of each split'):
        draw_kitti(tmp_path / 'drawn', **options)
