"""Pictures of a data set: which boxes, in which colours, of which difficulty."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from mmdet.datasets.transforms import LoadAnnotations
from mmdet.registry import DATASETS
from mmengine.config import Config
from PIL import Image

from mmdet_lrm.kitti.drawing import draw_kitti
from mmdet_lrm.launch.browsing import COLOURS, difficulty, drawn, of_files, of_pipeline

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ('height', 'occluded', 'truncated', 'expected'),
    [
        (41, 0, 0.15, 'easy'),
        (40, 0, 0.15, 'moderate'),
        (41, 1, 0.3, 'moderate'),
        (41, 2, 0.3, 'hard'),
        (41, 0, 0.31, 'hard'),
        (25, 0, 0, ''),
        (41, 3, 0, ''),
        (41, 0, 0.51, ''),
    ],
)
def test_the_difficulty_is_kittis(height, occluded, truncated, expected):
    instance = dict(bbox=[0] * 4, height=height, occluded=occluded, truncated=truncated)
    assert difficulty(instance) == expected


@pytest.mark.parametrize(('side', 'expected'), [(31, 'small'), (32, 'medium'), (96, 'large')])
def test_elsewhere_it_is_cocos_size(side, expected):
    assert difficulty(dict(bbox=[5, 5, 5 + 2 * side, 5 + side / 2])) == expected


def test_boxes_have_the_colours_of_their_classes_and_what_is_ignored_is_grey():
    image = np.zeros((300, 800, 3), dtype=np.uint8)
    instance = dict(ignore_flag=0, difficulty='')
    picture = drawn(
        image,
        [
            dict(instance, bbox=[100, 100, 200, 200], bbox_label=0),
            dict(instance, bbox=[300, 100, 400, 200], bbox_label=1),
            dict(instance, bbox=[500, 100, 600, 200], bbox_label=1, ignore_flag=1),
        ],
        ('a', 'b'),
    )
    assert picture.shape == (600, 1600, 3)
    sides = [picture[300, slice(x - 2, x + 3)].max(axis=0) for x in (200, 600)]
    expected = [[255 * part for part in to_rgb(colour)] for colour in COLOURS[:2]]
    np.testing.assert_allclose(sides, expected, atol=3)
    assert picture[300, 300].tolist() == [0, 0, 0]
    assert len(set(picture[300, 1100].tolist())) == 1 and picture[300, 1100, 0] > 60


@pytest.mark.parametrize('box', [[200, 100, 100, 200], [100, 200, 200, 100], [200, 200, 100, 100]])
def test_a_box_of_swapped_corners_is_drawn_where_it_lies(box):
    image = np.zeros((300, 800, 3), dtype=np.uint8)
    instance = dict(bbox_label=0, ignore_flag=0)
    expected, picture, named = (
        drawn(image, [dict(instance, bbox=corners, difficulty=text)], ('a',))
        for corners, text in (
            ([100, 100, 200, 200], ''),
            (box, ''),
            ([100, 100, 200, 200], 'corners swapped'),
        )
    )
    np.testing.assert_array_equal(picture[210:], expected[210:])  # below the label
    np.testing.assert_array_equal(picture, named)


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    monkeypatch.setenv('KITTI_ROOT', str(draw_kitti(tmp_path / 'kitti', 3, 2)))
    cfg = Config.fromfile(ROOT / 'configs/yolov2-tiny_kitti.py')
    return DATASETS.build(cfg.val_dataloader.dataset)


def test_an_image_is_shown_as_its_file_and_as_the_network_gets_it(dataset):
    info = dataset.get_data_info(0)
    image, instances = of_files(dataset, 0)
    np.testing.assert_array_equal(image, np.array(Image.open(info['img_path']).convert('RGB')))
    assert [each['bbox'] for each in instances] == [each['bbox'] for each in info['instances']]
    given, of_input = of_pipeline(dataset, 0)
    assert given.shape != image.shape
    # The mean of a drawn image stays, channel by channel: RGB is not BGR.
    inside = given[given.std(axis=2) > 5].mean(axis=0)
    assert (
        np.argsort(inside).tolist()
        == np.argsort(image[image.std(axis=2) > 5].mean(axis=0)).tolist()
    )
    flags = [each['ignore_flag'] for each in info['instances']]
    assert [each['ignore_flag'] for each in of_input] == sorted(flags)
    # An evaluation loads truths in the pixels of the file; here they lie where their objects are.
    scale = np.tile(np.divide(given.shape[1::-1], image.shape[1::-1]), 2)
    boxes = [each['bbox'] for each in sorted(instances, key=lambda each: each['ignore_flag'])]
    np.testing.assert_allclose([each['bbox'] for each in of_input], boxes * scale, atol=0.01)


def test_an_evaluation_that_loads_no_truths_is_shown_with_them(dataset):
    expected = of_pipeline(dataset, 0)[1]
    dataset.pipeline.transforms = [
        step for step in dataset.pipeline.transforms if not isinstance(step, LoadAnnotations)
    ]
    assert of_pipeline(dataset, 0)[1] == expected != []


@pytest.mark.slow
def test_the_data_of_a_config_are_drawn_to_files(dataset, tmp_path):
    config = ROOT / 'configs/yolov2-tiny_kitti.py'
    for more in ([], ['--input']):
        command = [ROOT / 'tools/browse_dataset.py', config, '--images', '9', '--out', 'out', *more]
        ended = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.endswith('3 of 3 images: out\n')
        assert len(list((tmp_path / 'out').iterdir())) == 3
