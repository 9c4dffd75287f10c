"""AlexeyAB's scale_x_y, in the coder and from a ``.cfg`` to boxes."""

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.hub import get_config
from random_networks import net, write_random

from mmdet_lrm import ScaledYOLOBBoxCoder
from mmdet_lrm.darknet.cfg import DarknetError, follow, read_cfg
from mmdet_lrm.darknet.convert import YOLOV3_CONFIG, build, detector_config
from mmdet_lrm.darknet.describe import describe
from mmdet_lrm.darknet.files import export_network, import_network

# A prior of 8 x 4 px around the centre of the cell whose corner is at 32, 16; stride 16.
PRIOR = torch.tensor([[36.0, 22.0, 44.0, 26.0]])


def test_the_centre_is_stretched_beyond_the_cell():
    coder = ScaledYOLOBBoxCoder(scale_x_y=1.2)
    # Sigmoids 0 and 1: 1.2 * 0 - 0.1 and 1.2 * 1 - 0.1 of the cell, -1.6 px and 17.6 px.
    (box,) = coder.decode(PRIOR, torch.tensor([[0.0, 1.0, 0.0, 0.0]]), 16).tolist()
    assert box == pytest.approx([32 - 1.6 - 4, 16 + 17.6 - 2, 32 - 1.6 + 4, 16 + 17.6 + 2])


def test_targets_are_what_decodes_to_the_truth():
    coder = ScaledYOLOBBoxCoder(scale_x_y=1.2)
    truth = torch.tensor([[30.0, 17.0, 38.0, 21.0]])  # centre 34, 19
    targets = coder.encode(PRIOR, truth, 16)
    # (2 / 16 + 0.1) / 1.2 and (3 / 16 + 0.1) / 1.2.
    torch.testing.assert_close(targets, torch.tensor([[0.1875, 0.2875 / 1.2, 0.0, 0.0]]))
    torch.testing.assert_close(coder.decode(PRIOR, targets, 16), truth)


def test_a_scale_below_one_is_refused():
    with pytest.raises(ValueError, match=r'scale_x_y is 0\.9; it must be at least 1'):
        ScaledYOLOBBoxCoder(scale_x_y=0.9)


def yolov3_sections(**options):
    """YOLOv3 with Darknet-53 on 96 x 64 px, its [yolo] sections with these options."""
    model = get_config(YOLOV3_CONFIG).model.to_dict()
    sections = [net(96, 64), *(each.section for each in describe(build(model)))]
    for each in sections:
        if each.kind == 'yolo':
            each.options |= options
    return sections


@pytest.mark.slow
def test_centres_of_a_network_with_scale_x_y_are_opencvs(tmp_path):
    rng = np.random.default_rng(0)
    files = write_random(yolov3_sections(scale_x_y='1.1'), tmp_path / 'net', rng)
    import_network(*files, tmp_path / 'in')
    image = rng.random((3, 64, 96), dtype=np.float32)
    network = cv2.dnn.readNetFromDarknet(*map(str, files))
    network.setInput(image[None])
    levels = network.forward(['yolo_82', 'yolo_94', 'yolo_106'])

    model = MODELS.build(Config.fromfile(tmp_path / 'in.py').model).eval()
    model.load_state_dict(torch.load(tmp_path / 'in.pth')['state_dict'])
    head = model.bbox_head
    with torch.no_grad():
        (maps,) = head(model.extract_feat(torch.from_numpy(image)[None]))
    priors = head.prior_generator.grid_priors([each.shape[-2:] for each in maps], device='cpu')
    for raw, level_priors, stride, rows in zip(
        maps, priors, head.featmap_strides, levels, strict=True
    ):
        deltas = raw[0].unflatten(0, (3, 85))[:, :4].permute(2, 3, 0, 1).reshape(-1, 4)
        # Of priors' size, which random logarithms of it would let overflow.
        deltas = torch.cat([deltas[:, :2].sigmoid(), torch.zeros_like(deltas[:, 2:])], dim=1)
        boxes = head.bbox_coder.decode(level_priors, deltas, stride).numpy()
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / np.array([96, 64])
        np.testing.assert_allclose(centres, rows[:, :2], rtol=0, atol=1e-3)

    exported, _ = export_network(tmp_path / 'in.py', tmp_path / 'in.pth', tmp_path / 'out')
    scales = [each.options['scale_x_y'] for each in read_cfg(exported) if each.kind == 'yolo']
    assert scales == ['1.1'] * 3


def test_scales_that_differ_by_level_are_refused():
    sections = yolov3_sections(scale_x_y='1.1')
    sections[-1].options['scale_x_y'] = '1.2'
    with pytest.raises(DarknetError, match=r'scale_x_y=1\.1, of 1\.1, 1\.1, 1\.2 in all'):
        detector_config(sections, follow(sections))
