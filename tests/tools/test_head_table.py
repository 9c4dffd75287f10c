"""The page on the one-stage detectors is that of the recorded results."""

import json
import sys
from pathlib import Path

import pytest
from mmengine.config import ConfigDict

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def head_table():
    sys.path.insert(0, str(ROOT / 'tools/dev'))
    import head_table

    yield head_table
    sys.path.remove(str(ROOT / 'tools/dev'))
    del sys.modules['head_table']


def test_the_page_is_rendered_from_the_results(head_table):
    rows = json.loads(head_table.RESULTS.read_text())
    assert head_table.DOCUMENT.read_text() == head_table.document(rows)


def test_the_loss_of_the_background_is_wrapped_with_its_own_options(head_table):
    model = ConfigDict(
        bbox_head=dict(
            type='FCOSHead',
            loss_cls=dict(type='FocalLoss', gamma=2.0),
            loss_centerness=dict(type='CrossEntropyLoss'),
        )
    )
    assert head_table.swap(model) == 'loss_cls'
    assert model.bbox_head.loss_cls == dict(
        type='LRMElementLoss', loss='FocalLoss', gamma=2.0, hard_ratio=0.25
    )


def test_a_head_of_this_package_gets_the_switch(head_table):
    model = ConfigDict(bbox_head=dict(type='SSDHead'))
    assert head_table.swap(model) == 'type, lrm (LRMSSDHead)'
    assert model.bbox_head.lrm.type == 'LRMLoss'


def test_a_head_without_such_a_loss_is_left_as_it_is(head_table):
    model = ConfigDict(bbox_head=dict(type='AutoAssignHead', loss_bbox=dict(type='GIoULoss')))
    assert head_table.swap(model) is None
