import colorsys

import numpy as np
import pytest
from mmdet.structures.bbox import HorizontalBoxes

from mmdet_lrm.darknet.transforms import DarknetHSV, DarknetJitter, DarknetLetterbox, distort


def uniform(monkeypatch, *values):
    """Make numpy's uniform numbers these, in their order."""
    left = list(values)
    monkeypatch.setattr(np.random, 'uniform', lambda *_: left.pop(0))


def results(boxes=((20, 10, 60, 30),)):
    image = np.zeros((50, 100, 3), np.uint8)
    image[:, :50] = 255
    boxes = HorizontalBoxes(np.array(boxes, dtype=np.float32))
    labels = np.arange(len(boxes))
    flags = np.zeros(len(boxes), dtype=bool)
    return dict(img=image, gt_bboxes=boxes, gt_bboxes_labels=labels, gt_ignore_flags=flags)


def test_a_wide_image_fills_the_width_of_the_canvas(monkeypatch):
    # The ratio stays 2: 40 x 20 px, 5 px from the top.
    uniform(monkeypatch, np.array([0.0, 0.0]), 0.0, 5.0)
    out = DarknetJitter(scale=(40, 40))(results())
    assert out['img'].shape == (40, 40, 3)
    assert (out['img'][:5] == 127).all() and (out['img'][25:] == 127).all()
    assert (out['img'][5:25, :18] == 255).all() and (out['img'][5:25, 22:] == 0).all()
    assert out['gt_bboxes'].tensor.tolist() == [[8.0, 9.0, 24.0, 17.0]]


def test_jitter_changes_the_ratio(monkeypatch):
    # 100 * 0.8 by 50 * 1.25 is 80 by 62.5, a ratio of 1.28: 40 x 31 px, at the lower end.
    uniform(monkeypatch, np.array([-0.2, 0.25]), 0.0, 9.0)
    assert DarknetJitter(scale=(40, 40)).placement(100, 50) == (0, 9, 40, 31)


def test_a_tall_image_fills_the_height(monkeypatch):
    uniform(monkeypatch, np.array([0.0, 0.0]), 7.0, 0.0)
    assert DarknetJitter(scale=(40, 40)).placement(50, 100) == (7, 0, 20, 40)


def test_boxes_without_extent_go_with_their_labels(monkeypatch):
    uniform(monkeypatch, np.array([0.0, 0.0]), 0.0, 0.0)
    out = DarknetJitter(scale=(40, 40))(results([(20, 10, 60, 30), (5, 5, 5.05, 30)]))
    assert len(out['gt_bboxes']) == 1
    assert out['gt_bboxes_labels'].tolist() == [0] and len(out['gt_ignore_flags']) == 1


@pytest.mark.parametrize(
    ('scale', 'size', 'letterbox'),
    [((40, 40), (40, 20), (0, 10)), ((80, 20), (40, 20), (20, 0)), ((38, 31), (38, 19), (0, 6))],
)
def test_a_letterboxed_image_lies_on_the_middle_with_its_ratio(scale, size, letterbox):
    out = DarknetLetterbox(scale=scale)(results())
    (width, height), (left, top) = size, letterbox
    assert out['letterbox'] == letterbox and out['img'].shape == (scale[1], scale[0], 3)
    assert out['scale_factor'] == (width / 100, height / 50)
    inside = np.zeros(out['img'].shape[:2], bool)
    inside[top : top + height, left : left + width] = True
    assert ((out['img'] == 127).all(axis=2) == ~inside).all()
    expected = np.array([20, 10, 60, 30]) * (out['scale_factor'] * 2) + letterbox * 2
    np.testing.assert_allclose(out['gt_bboxes'].tensor[0], expected, rtol=1e-6)


def test_colours_of_hand_worked_pixels():
    red, grey = [0, 0, 200], [100, 100, 100]
    image = np.array([[red, grey]], dtype=np.uint8)
    # A third of a turn makes red green; grey has no hue.
    assert distort(image, 1 / 3, 1, 1).tolist() == [[[0, 200, 0], grey]]
    assert distort(image, 0, 1, 0.5).tolist() == [[[0, 0, 100], [50, 50, 50]]]
    assert distort(image, 0, 0.5, 1).tolist() == [[[100, 100, 200], grey]]
    assert distort(image, 0, 1, 1.5).tolist() == [[[0, 0, 255], [150, 150, 150]]]


@pytest.mark.parametrize('change', [(0.07, 1.4, 1.3), (-0.1, 0.7, 0.8), (-0.5, 1.5, 1.5)])
def test_distorted_colours_are_the_nearest_to_those_of_python(change):
    hue, saturation, exposure = change
    image = np.random.randint(0, 256, (20, 20, 3), dtype=np.uint8)
    changed = distort(image, *change).reshape(-1, 3)
    for pixel, found in zip(image.reshape(-1, 3), changed, strict=True):
        h, s, v = colorsys.rgb_to_hsv(*pixel[::-1] / 255)
        # Each channel is linear in the saturation, which here may be larger than 1.
        h, v = (h + hue) % 1, v * exposure
        grey, full = (np.array(colorsys.hsv_to_rgb(h, each, v)) for each in (0, 1))
        exact = 255 * (grey + s * saturation * (full - grey)).clip(0, 1)[::-1]
        assert np.abs(found - exact).max() <= 0.501


def test_factors_are_as_often_inverse(monkeypatch):
    image = np.full((1, 1, 3), 90, np.uint8)
    uniform(monkeypatch, 0.0, 1.0, 1.5, 0.0, 1.0, 1.5)
    draws = iter([0.1, 0.1, 0.1, 0.9])
    monkeypatch.setattr(np.random, 'random', lambda: next(draws))
    transform = DarknetHSV()
    assert [transform(dict(img=image))['img'][0, 0, 0] for _ in range(2)] == [135, 60]


@pytest.mark.parametrize(
    ('build', 'message'),
    [
        (lambda: DarknetJitter((4, 4), jitter=1.0), r'jitter is 1\.0; it must lie in \[0, 1\)'),
        (lambda: DarknetHSV(saturation=0.5), r'saturation=0\.5 .*be at least 1'),
    ],
)
def test_options_out_of_range_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
