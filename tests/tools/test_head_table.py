"""The page on the one-stage detectors is that of the recorded results."""

import json

import head_table
import one_stage
from mmengine.config import ConfigDict


def test_the_page_is_rendered_from_the_results():
    rows = json.loads(head_table.RESULTS.read_text())
    assert head_table.DOCUMENT.read_text() == head_table.document(rows)


def test_the_loss_of_the_background_is_wrapped_with_its_own_options():
    model = ConfigDict(
        bbox_head=dict(
            type='FCOSHead',
            loss_cls=dict(type='FocalLoss', gamma=2.0),
            loss_centerness=dict(type='CrossEntropyLoss'),
        )
    )
    assert one_stage.swap(model) == 'loss_cls'
    assert model.bbox_head.loss_cls == dict(
        type='LRMElementLoss', loss='FocalLoss', gamma=2.0, hard_ratio=0.25
    )


def test_a_head_of_this_package_gets_the_switch():
    model = ConfigDict(bbox_head=dict(type='SSDHead'))
    assert one_stage.swap(model) == 'type, lrm (LRMSSDHead)'
    assert model.bbox_head.lrm.type == 'LRMLoss'


def test_a_head_without_such_a_loss_is_left_as_it_is():
    model = ConfigDict(bbox_head=dict(type='AutoAssignHead', loss_bbox=dict(type='GIoULoss')))
    assert one_stage.swap(model) is None
