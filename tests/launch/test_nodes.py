"""Walks over configs."""

from mmengine.config import ConfigDict

from mmdet_lrm.launch.nodes import find_datasets, nodes


def test_nodes_are_found_in_lists_and_below_themselves_with_their_keys():
    node = dict(a=dict(lr=1), b=[dict(c=2), 'text', (dict(lr=dict(lr=3)),)])
    assert [key for key, _ in nodes(node)] == ['', 'a', 'b.0', 'b.2.0', 'b.2.0.lr']
    assert [key for key, each in nodes(node, 'x') if 'lr' in each] == [
        'x.a',
        'x.b.2.0',
        'x.b.2.0.lr',
    ]
    assert list(nodes(None)) == list(nodes('text')) == []


def test_datasets_are_found_in_lists_too():
    parts = [ConfigDict(type='A', data_root='a'), ConfigDict(type='B', data_root='b')]
    loader = ConfigDict(batch_size=2, dataset=dict(type='ConcatDataset', datasets=parts))
    assert [found.type for found in find_datasets(loader)] == ['A', 'B']
