"""What makes data other data, in every format, and what does not."""

import json
import shutil

import numpy as np
import pytest
from drawn_data import draw_sets
from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS
from mmengine.config import Config

from mmdet_lrm.study import data_digest
from mmdet_lrm.study.data_digest import digest, digests
from mmdet_lrm.study.fairness import StudyError

CELLS = dict(classes=('RBC', 'WBC'))
PARTS = {
    'kitti': dict(type='KittiDataset', ann_file='ImageSets/{}.txt'),
    'bccd': dict(
        type='XMLDataset',
        ann_file='VOC2007/ImageSets/Main/{}.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        metainfo=CELLS,
    ),
    'mine': dict(
        type='CocoDataset', ann_file='annotations/{}.json', data_prefix={}, metainfo=CELLS
    ),
}


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    draw_sets(root)
    return root


@pytest.fixture
def tree(drawn, tmp_path):
    """Folders of all formats, to change."""
    return shutil.copytree(drawn, tmp_path / 'here')


def loaders(tree, name) -> Config:
    """A config of both lists of a data set."""
    found = {}
    for split in ('train', 'val'):
        part = dict(PARTS[name], ann_file=PARTS[name]['ann_file'].format(split))
        if name == 'mine':
            part['data_prefix'] = dict(img=split)
        dataset = dict(part, data_root=f'{tree}/{name}', test_mode=split == 'val')
        found[f'{split}_dataloader'] = dict(dataset=dataset)
    return Config(found)


def replace(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def change_first(annotations, **values):
    content = json.loads(annotations.read_text())
    content['annotations'][1].update(values)
    annotations.write_text(json.dumps(content))


def image_of_another_size(file):
    file.write_bytes(file.read_bytes() + b'\0')


LABEL, TRAIN = 'kitti/training/label_2/000001.txt', 'kitti/ImageSets/train.txt'
OF_CELLS = 'bccd/VOC2007/Annotations/000002.xml'
# By what is changed: a file, a text in it, and what comes in its place.
CHANGES = {
    'a box of KITTI': (LABEL, '.00', '.50'),
    'an occlusion': (LABEL, 'Car 0.00 0', 'Car 0.00 2'),
    'a type that is ignored': (LABEL, 'Car', 'Van'),
    'a shorter list': (TRAIN, '000001\n', ''),
    'another order': (TRAIN, '000001\n000002', '000002\n000001'),
    'a list of evaluation': ('kitti/ImageSets/val.txt', '000003\n', ''),
    'a name of VOC': (OF_CELLS, '>RBC<', '>WBC<'),
    'a difficult object': (OF_CELLS, 'difficult>0', 'difficult>1'),
}
OF_COCO = {
    'a box': ('train.json', dict(bbox=[1, 1, 9, 9])),
    'a crowd': ('val.json', dict(iscrowd=1)),
}


def changes_digest(tree, name, alter):
    config = loaders(tree, name)
    before = digest(config)
    assert len(before) == 16 and digest(config) == before
    alter()
    return digest(config) != before


@pytest.mark.parametrize('change', CHANGES)
def test_other_data_have_another_digest(change, tree):
    file, old, new = CHANGES[change]
    assert changes_digest(tree, file.split('/')[0], lambda: replace(tree / file, old, new))


@pytest.mark.parametrize('change', OF_COCO)
def test_other_annotations_of_coco_have_another_digest(change, tree):
    file, values = OF_COCO[change]
    annotations = tree / 'mine/annotations' / file
    assert changes_digest(tree, 'mine', lambda: change_first(annotations, **values))


def test_an_image_of_another_size_in_bytes_has_another_digest(tree):
    image = tree / 'kitti/training/image_2/000001.png'
    assert changes_digest(tree, 'kitti', lambda: image_of_another_size(image))


@pytest.mark.parametrize('name', PARTS)
def test_the_same_data_in_another_folder_have_the_same_digest(name, drawn, tmp_path):
    shutil.copytree(drawn / name, tmp_path / name)
    assert digest(loaders(tmp_path, name)) == digest(loaders(drawn, name))


def test_what_a_dataset_leaves_out_does_not_count(tree):
    config = loaders(tree, 'bccd')
    config.train_dataloader.dataset.filter_cfg = dict(filter_empty_gt=True)
    config.val_dataloader = None  # which would show it
    replace(tree / 'bccd/VOC2007/Annotations/000002.xml', '>RBC<', '>dust<')
    replace(tree / 'bccd/VOC2007/Annotations/000002.xml', '>WBC<', '>dust<')
    before = digest(config)
    image_of_another_size(tree / 'bccd/VOC2007/JPEGImages/000002.jpg')
    assert digest(config) == before
    config.train_dataloader.dataset.filter_cfg = None
    assert digest(config) != before


def test_the_order_of_classes_counts(drawn):
    config = loaders(drawn, 'kitti')
    before = digest(config)
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.dataset.metainfo = dict(classes=('Cyclist', 'Pedestrian', 'Car'))
    assert digest(config) != before


def test_what_trains_and_what_is_evaluated_are_told_apart(drawn):
    config = loaders(drawn, 'kitti')
    both = digest(config)
    evaluation, config.val_dataloader = config.val_dataloader, None
    training = digest(config)
    config.train_dataloader, config.val_dataloader = {}, evaluation
    assert len({both, training, digest(config)}) == 3


def test_a_config_without_data_has_no_digest():
    assert digest(Config(dict(train_dataloader={}, val_dataloader=None))) == ''
    assert digest(Config(dict(train_cfg=dict(max_epochs=3)))) == ''


@pytest.mark.parametrize(
    'wrap',
    [
        lambda part: dict(type='RepeatDataset', times=3, dataset=part),
        lambda part: dict(type='ConcatDataset', datasets=[part, dict(part)]),
        lambda part: dict(
            type='MultiImageMixDataset',
            dataset=dict(type='RepeatDataset', times=2, dataset=part),
            pipeline=[dict(type='Mosaic', img_scale=(64, 64))],
        ),
    ],
)
def test_data_inside_of_wrappers_count(wrap, tree):
    config = loaders(tree, 'kitti')
    config.val_dataloader = None
    part = dict(config.train_dataloader.dataset, pipeline=[dict(type='LoadImageFromFile')])
    config.train_dataloader.dataset = wrap(part)
    before = digest(config)
    assert before
    replace(tree / 'kitti/training/label_2/000003.txt', 'Car', 'Van')
    assert digest(config) != before


class Own(BaseDetDataset):
    def load_data_list(self):
        truth = dict(bbox=np.array([1, 2, 3, 4], np.float32), bbox_label=0, ignore_flag=0)
        return [dict(img_id=0, img_path=self.ann_file, instances=[truth, dict(truth, note='a')])]


@pytest.fixture
def own_dataset():
    DATASETS.register_module(name='Own', module=Own)
    yield Own
    del DATASETS.module_dict['Own']


def test_a_dataset_of_ones_own_counts_without_a_root(own_dataset, tmp_path):
    image = tmp_path / 'a.png'
    image.write_bytes(b'a')
    dataset = dict(type='Own', ann_file=str(image), metainfo=dict(classes=('a',)))
    config = Config(dict(train_dataloader=dict(dataset=dataset)))
    before = digest(config)
    assert before
    image_of_another_size(image)
    assert digest(config) != before


def test_a_file_that_an_evaluator_reads_itself_counts(drawn, tmp_path):
    config = loaders(drawn, 'mine')
    file = shutil.copy(drawn / 'mine/annotations/val.json', tmp_path / 'val.json')
    config.val_evaluator = [dict(type='CocoMetric', ann_file=str(file)), dict(type='DumpResults')]
    before = digest(config)
    change_first(file, area=7)
    assert digest(config) != before


def test_data_are_read_once_for_all_that_name_the_same(drawn, monkeypatch):
    configs = [loaders(drawn, name) for name in ('kitti', 'bccd', 'kitti')]
    configs[2].train_dataloader.dataset.pipeline = [dict(type='LoadImageFromFile')]
    configs[2].randomness = dict(seed=1)
    expected, read = [digest(config) for config in configs], []
    monkeypatch.setattr(data_digest, 'digest', lambda config: read.append(config) or digest(config))
    assert digests(configs) == expected and expected[0] == expected[2] != expected[1]
    assert len(read) == 2


def test_data_that_cannot_be_read_are_named(tree):
    config = loaders(tree, 'bccd')
    (tree / 'bccd/VOC2007/JPEGImages/000001.jpg').unlink()
    with pytest.raises(StudyError, match=r'XMLDataset of train_dataloader cannot .*000001\.jpg'):
        digest(config)
