"""Boxes of raw YOLO predictions, by hand."""

import math

import torch
from mmdet.models.task_modules.coders import YOLOBBoxCoder

from mmdet_lrm.heads.yolo_boxes import decode_boxes


def decoded(*logits):
    # A prior of 8 x 4 px around the middle of the cell from (20, 10) to (30, 20).
    prior = torch.tensor([[21.0, 13, 29, 17]])
    return decode_boxes(YOLOBBoxCoder(), prior, torch.tensor([[logits]]), stride=10)[0, 0].tolist()


def test_a_box_has_its_centre_in_the_cell_and_a_size_in_priors():
    # sigmoid(ln 3) = 3/4 and sigmoid(0) = 1/2 of the cell; twice and half the prior.
    box = decoded(math.log(3), 0.0, math.log(2), -math.log(2), 99.0)
    torch.testing.assert_close(
        torch.tensor(box), torch.tensor([27.5 - 8, 15 - 1, 27.5 + 8, 15 + 1])
    )


def test_an_exploding_size_stops_at_exp_8_of_the_prior():
    _, y1, _, y2 = decoded(0.0, 0.0, 0.0, 200.0)
    assert math.isclose(y2 - y1, math.exp(8) * 4, rel_tol=1e-5)
    _, y1, _, y2 = decoded(0.0, 0.0, 0.0, 7.5)
    assert math.isclose(y2 - y1, math.exp(7.5) * 4, rel_tol=1e-5)
