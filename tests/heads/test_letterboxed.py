"""Detections of letterboxed images, by every head, in pixels of the image file."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict

SIZE = (16.0, 16.0)
YOLO_PRIORS = dict(type='YOLOAnchorGenerator', base_sizes=[[SIZE]], strides=[32])
SSD_PRIORS = dict(
    type='SSDAnchorGenerator',
    scale_major=False,
    strides=[32],
    ratios=[[]],
    min_sizes=[16],
    max_sizes=[16],
)
# One prior of 16 x 16 px in each of 2 x 2 cells of 32 px (SSD has it twice); the maps of each head.
HEADS = {
    'YOLOV2Head': (dict(in_channels=4, anchor_generator=YOLO_PRIORS), [6]),
    'LRMYOLOV3Head': (
        dict(in_channels=[4], out_channels=[4], featmap_strides=[32], anchor_generator=YOLO_PRIORS),
        [6],
    ),
    'LRMSSDHead': (dict(in_channels=[4], anchor_generator=SSD_PRIORS), [2 * 2, 2 * 4]),
}
TEST_CFG = ConfigDict(
    nms_pre=99, score_thr=0.1, nms=dict(type='nms', iou_threshold=0.5), max_per_img=99
)


def test_boxes_are_cut_at_the_image_and_not_at_the_canvas():
    config, (width,) = HEADS['YOLOV2Head']
    head = MODELS.build(dict(type='YOLOV2Head', num_classes=1, **config))
    # A file of 128 x 32 px at half its size: rows 24 to 40 of the canvas.
    meta = dict(img_shape=(64, 64), ori_shape=(32, 128), scale_factor=(0.5, 0.5), letterbox=(0, 24))
    cfg = ConfigDict(TEST_CFG, clip_to_image=True)
    maps = [torch.zeros(1, width, 2, 2)]
    (found,) = head.predict_by_feat(maps, batch_img_metas=[meta], cfg=cfg, rescale=True)
    # Without the cut y is from -32 to 0 and from 32 to 64.
    assert sorted(found.bboxes.round().int().tolist()) == [
        [16, 0, 48, 0],
        [16, 32, 48, 32],
        [80, 0, 112, 0],
        [80, 32, 112, 32],
    ]


@pytest.mark.parametrize('name', HEADS)
def test_detections_return_from_the_letterbox_to_the_pixels_of_the_file(name):
    config, widths = HEADS[name]
    head = MODELS.build(dict(type=name, num_classes=1, **config))
    maps = [[torch.zeros(1, width, 2, 2)] for width in widths]
    # A file of 128 x 64 px at half its size on a canvas of 64 x 64 px, from row 16 on.
    meta = dict(img_shape=(64, 64), ori_shape=(64, 128), scale_factor=(0.5, 0.5), letterbox=(0, 16))
    (found,) = head.predict_by_feat(*maps, batch_img_metas=[meta], cfg=TEST_CFG, rescale=True)
    # On the canvas the centres are 16 and 48, so that the first box is 8, 8, 24, 24.
    assert sorted(found.bboxes.round().int().tolist()) == [
        [16, -16, 48, 16],
        [16, 48, 48, 80],
        [80, -16, 112, 16],
        [80, 48, 112, 80],
    ]
    maps = [[each.zero_() for each in levels] for levels in maps]  # YOLOv3's sigmoid is in place
    (found,) = head.predict_by_feat(*maps, batch_img_metas=[meta], cfg=TEST_CFG, rescale=False)
    assert sorted(found.bboxes.round().int().tolist())[0] == [8, 8, 24, 24]
