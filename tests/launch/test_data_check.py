"""What is said of the data before a run, and what of them stops it."""

import json
import re

import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmdet.registry import DATASETS
from mmengine.config import Config

from mmdet_lrm.kitti.drawing import draw_kitti
from mmdet_lrm.launch import LaunchError, check_data

OBJECT = (
    '<object><name>{}</name><difficult>{}</difficult><bndbox><xmin>{}</xmin><ymin>{}</ymin>'
    '<xmax>{}</xmax><ymax>{}</ymax></bndbox></object>\n'
)
XML = '<annotation>\n<size><width>100</width><height>50</height></size>\n{}</annotation>'
CLASSES = ('RBC', 'WBC')


@pytest.fixture
def voc(tmp_path):
    """Three images: an RBC and two WBC, one difficult; an RBC; none. The config of the data."""
    for folder in ('JPEGImages', 'Annotations'):
        (tmp_path / folder).mkdir()
    objects = {
        'a': [('RBC', 0, 1, 1, 20, 20), ('WBC', 0, 5, 5, 20, 20), ('WBC', 1, 5, 5, 9, 9)],
        'b': [('RBC', 0, 1, 1, 20, 20)],
        'c': [],
    }
    for name, rows in objects.items():
        (tmp_path / f'JPEGImages/{name}.jpg').write_bytes(b'its content is not looked at')
        text = XML.format(''.join(OBJECT.format(*row) for row in rows))
        (tmp_path / f'Annotations/{name}.xml').write_text(text)
    (tmp_path / 'train.txt').write_text('a\nb\nc\n')
    (tmp_path / 'val.txt').write_text('b\n')
    return loaders(
        type='XMLDataset',
        data_root=str(tmp_path),
        data_prefix=dict(sub_data_root=''),
        metainfo=dict(classes=CLASSES),
    )


def loaders(**dataset) -> Config:
    """A config of train.txt and val.txt, or their JSON, of a data set."""
    suffix = 'txt' if dataset['type'] == 'XMLDataset' else 'json'
    return Config(
        {
            f'{split}_dataloader': dict(
                dataset=dict(ann_file=f'{split}.{suffix}', test_mode=split == 'val', **dataset)
            )
            for split in ('train', 'val')
        }
    )


@pytest.fixture
def coco(tmp_path):
    """An image of 100 x 50 px with an RBC, a WBC of which a crowd, and a platelet."""
    (tmp_path / 'a.jpg').write_bytes(b'its content is not looked at')
    box = dict(image_id=1, bbox=[10, 10, 20, 20], area=400, iscrowd=0)
    content = dict(
        images=[dict(id=1, file_name='a.jpg', width=100, height=50)],
        categories=[dict(id=i, name=n) for i, n in enumerate(('RBC', 'WBC', 'Platelets'))],
        annotations=[
            dict(box, id=7, category_id=0),
            dict(box, id=8, category_id=1),
            dict(box, id=9, category_id=1, iscrowd=1),
            dict(box, id=10, category_id=2),
        ],
    )
    for split in ('train', 'val'):
        (tmp_path / f'{split}.json').write_text(json.dumps(content))
    return loaders(
        type='CocoDataset',
        data_root=str(tmp_path),
        data_prefix=dict(img=''),
        metainfo=dict(classes=CLASSES),
    )


@pytest.fixture
def said(capsys):
    """What the check prints of a config, as the table's rows of words and the notes."""

    def check(cfg, *names):
        capsys.readouterr()
        check_data(cfg, *(names or ('train_dataloader', 'val_dataloader')))
        lines = capsys.readouterr().out.splitlines()
        rows = [line.strip('|').split() for line in lines if line.startswith('|')]
        cells = {row[0]: [int(cell) for cell in row[1:] if cell != '|'] for row in rows[1:]}
        return cells, [line for line in lines if line.startswith('note: ')]

    return check


def problems(cfg, *names) -> list[str]:
    with pytest.raises(LaunchError) as error:
        check_data(cfg, *(names or ('train_dataloader', 'val_dataloader')))
    count, *lines = str(error.value).splitlines()
    assert count == (f'{len(lines)} problems' if len(lines) > 1 else '1 problem') + ' in the data:'
    return lines


def edit(path, *pair):
    text = path.read_text()
    assert pair[0] in text
    path.write_text(text.replace(*pair))


def test_boxes_and_images_of_each_class_are_counted(voc, coco, said):
    cells, notes = said(voc)
    assert cells == {'RBC': [2, 2, 1, 1], 'WBC': [1, 1, 0, 0], 'all': [3, 3, 1, 1]}
    assert notes == ['note: train boxes that are ignored: 1, WBC 1', 'note: val has no box of WBC']
    cells, notes = said(coco)
    assert cells == {'RBC': [1, 1, 1, 1], 'WBC': [1, 1, 1, 1], 'all': [2, 1, 2, 1]}
    assert notes[:2] == [
        'note: train boxes of names that no class takes: 1, Platelets 1',
        'note: train boxes that are ignored: 1, WBC 1',
    ]


def test_kittis_data_are_counted(tmp_path, said):
    draw_kitti(tmp_path / 'kitti', 3, 2)
    labels = [
        (tmp_path / f'kitti/training/label_2/{frame}.txt').read_text().splitlines()
        for frame in (tmp_path / 'kitti/ImageSets/train.txt').read_text().split()
    ]
    dataset = dict(type='KittiDataset', data_root=str(tmp_path / 'kitti'))
    cells, _ = said(Config(dict(train_dataloader=dict(dataset=dataset))))
    of_image = [[line.split()[0] for line in lines] for lines in labels]
    for name in ('Car', 'Pedestrian', 'Cyclist'):
        counts = [types.count(name) for types in of_image]
        assert cells[name] == [sum(counts), np.count_nonzero(counts)]
    (tmp_path / 'kitti/training/label_2/000000.txt').write_text('Car\n')
    (line,) = problems(Config(dict(train_dataloader=dict(dataset=dataset))))
    assert 'label_2/000000.txt:1: ' in line


def test_parts_that_are_joined_are_counted_together(voc, said):
    part = voc.train_dataloader.dataset
    voc.train_dataloader.dataset = dict(type='ConcatDataset', datasets=[part, part])
    cells, _ = said(voc, 'train_dataloader')
    assert cells['all'] == [6, 6]


def test_a_name_that_is_a_class_but_for_its_case_stops_the_run(voc, coco, tmp_path):
    edit(tmp_path / 'Annotations/a.xml', 'RBC', 'rbc')
    (line,) = problems(voc)
    assert line.startswith(
        f"{tmp_path}/train.txt: 1 of its boxes have the name 'rbc', and the class is 'RBC'"
    )
    edit(tmp_path / 'val.json', '"WBC"', '"wbc"')
    assert "1 of its boxes have the name 'wbc'" in problems(coco)[0]


def test_a_class_without_category_stops_the_run(coco, tmp_path):
    edit(tmp_path / 'train.json', '"WBC"', '"Monocyte"')
    (line,) = problems(coco, 'train_dataloader')
    assert 'train.json has no category WBC' in line
    assert line.endswith('its categories are Monocyte, Platelets, RBC')


def mmdets_labels(cfg, loader='train_dataloader') -> list[tuple[int, bool]]:
    """Label, and whether it is ignored, of the boxes of the first image, as mmdet reads them."""
    (info,) = DATASETS.build(dict(cfg[loader].dataset, pipeline=[])).load_data_list()
    return [(each['bbox_label'], bool(each['ignore_flag'])) for each in info['instances']]


def test_categories_in_another_order_than_the_classes_stop_the_run(coco, tmp_path):
    assert mmdets_labels(coco) == [(0, False), (1, False), (1, True)]
    content = json.loads((tmp_path / 'train.json').read_text())
    content['categories'].reverse()
    (tmp_path / 'train.json').write_text(json.dumps(content))
    assert mmdets_labels(coco) == [(1, False), (0, False), (0, True)]  # an RBC, and two WBC
    (line,) = problems(coco)
    assert line.startswith(
        f'{tmp_path}/train.json gives its boxes labels in the order WBC, RBC, and the classes are '
        'RBC, WBC: '
    )
    for loader in ('train_dataloader', 'val_dataloader'):
        coco[loader].dataset.metainfo.classes = CLASSES[::-1]
    (line,) = problems(coco)
    assert f'{tmp_path}/val.json gives its boxes labels in the order RBC, WBC, and' in line
    check_data(coco, 'train_dataloader')


def test_two_categories_of_one_name_stop_the_run(coco, tmp_path):
    edit(tmp_path / 'train.json', '"WBC"', '"RBC"')
    edit(tmp_path / 'train.json', '"Platelets"', '"WBC"')
    assert mmdets_labels(coco) == [(0, False), (1, False), (1, True), (2, False)]
    (line,) = problems(coco, 'train_dataloader')
    assert 'labels in the order RBC, RBC, WBC, and the classes are RBC, WBC: ' in line


def test_a_data_set_that_sorts_its_categories_may_have_them_in_any_order(coco, tmp_path, said):
    coco.train_dataloader.dataset.type = 'Objects365V1Dataset'
    content = json.loads((tmp_path / 'train.json').read_text())
    content['categories'].reverse()
    (tmp_path / 'train.json').write_text(json.dumps(content))
    assert mmdets_labels(coco) == [(0, False), (1, False), (1, True)]
    assert said(coco, 'train_dataloader')[0]['WBC'] == [1, 1]


def test_a_training_set_without_a_box_stops_the_run_and_others_do_not(voc, tmp_path, said):
    (tmp_path / 'val.txt').write_text('c\n')
    assert said(voc)[1][-1].endswith('val.txt: no box of RBC, WBC: nothing can be evaluated')
    (tmp_path / 'train.txt').write_text('c\n')
    (line,) = problems(voc)
    assert 'train.txt: no box of RBC, WBC; ' in line


def test_missing_and_empty_files_are_named_at_once_with_their_lines(voc, tmp_path):
    (tmp_path / 'JPEGImages/a.jpg').write_bytes(b'')
    (tmp_path / 'JPEGImages/b.jpg').unlink()
    (tmp_path / 'Annotations/c.xml').write_text('<annotation>\n<size>')
    (tmp_path / 'train.txt').write_text('a\nb\nc\nd\n')
    first, second, third, fourth = problems(voc, 'train_dataloader')
    assert first.startswith(f'{tmp_path}/Annotations/c.xml:2: it is no whole XML')
    assert second == f"{tmp_path}/train.txt:4: 'd' has no {tmp_path}/Annotations/d.xml"
    assert third == f'{tmp_path}/JPEGImages/a.jpg is empty; it is an image of {tmp_path}/train.txt'
    assert fourth.startswith(f'{tmp_path}/JPEGImages/b.jpg is missing; ')
    (tmp_path / 'train.txt').write_text('')
    assert problems(voc, 'train_dataloader')[0] == f'{tmp_path}/train.txt lists no image'
    (tmp_path / 'train.txt').unlink()
    assert "No such file or directory: '" in problems(voc, 'train_dataloader')[0]


def test_objects_that_cannot_be_read_are_named_with_their_lines(voc, tmp_path):
    edit(tmp_path / 'Annotations/a.xml', '<xmin>5</xmin>', '<xmin>five</xmin>', 1)
    edit(tmp_path / 'Annotations/b.xml', '<name>RBC</name>', '')
    edit(tmp_path / 'Annotations/c.xml', '<width>100', '<width>1e2')
    one, two, three = problems(voc, 'train_dataloader')
    assert one == f'{tmp_path}/Annotations/a.xml:4: an object without a name or four numbers'
    assert two == f'{tmp_path}/Annotations/b.xml:3: an object without a name or four numbers'
    assert three == f'{tmp_path}/Annotations/c.xml: its size is 1e2 x 50; give two integers'


def test_annotations_of_coco_that_cannot_be_read_are_named(coco, tmp_path):
    edit(tmp_path / 'train.json', '"area": 400, "iscrowd": 0, "id": 7', '"id": 7')
    edit(tmp_path / 'train.json', '"category_id": 2', '"category_id": 5')
    edit(tmp_path / 'val.json', '{"images"', '{\n"images')
    one, two, three = problems(coco)
    assert one.startswith(
        f'{tmp_path}/train.json: annotation 7 lacks an id, a bbox of four numbers'
    )
    assert one.endswith("(KeyError: 'area')")
    assert 'annotation 10' in two and two.endswith('(KeyError: 5)')
    assert f'{tmp_path}/val.json:2: it is no whole JSON' in three


def edit_annotations(path, change):
    """Change the list of the annotations of a file of COCO's in place."""
    content = json.loads(path.read_text())
    change(content['annotations'])
    path.write_text(json.dumps(content))


def average_precision(path) -> float:
    """What mmdet's metric gives detections that are the boxes of an RBC and a WBC of the image."""
    metric = CocoMetric(ann_file=str(path), metric='bbox')
    metric.dataset_meta = dict(classes=CLASSES)
    found = dict(
        bboxes=torch.tensor([[10.0, 10, 30, 30]] * 2),
        scores=torch.tensor([0.9, 0.8]),
        labels=torch.tensor([0, 1]),
    )
    metric.process({}, [dict(img_id=1, ori_shape=(50, 100), pred_instances=found)])
    return metric.evaluate(1)['coco/bbox_mAP']


@pytest.fixture
def evaluated(coco, tmp_path):
    """The same, whose val.json pycocotools evaluates."""
    coco.val_evaluator = dict(type='CocoMetric', ann_file=str(tmp_path / 'val.json'))
    return coco


def test_truths_that_say_nothing_of_crowds_cannot_be_evaluated(evaluated, tmp_path, said):
    def leave_out(annotations):
        for each in annotations[1:]:  # the last of which is of no class
            del each['iscrowd']

    edit_annotations(tmp_path / 'train.json', leave_out)
    assert average_precision(tmp_path / 'val.json') == 1
    said(evaluated)
    edit_annotations(tmp_path / 'val.json', leave_out)
    with pytest.raises(KeyError, match='iscrowd'):
        average_precision(tmp_path / 'val.json')
    (line,) = problems(evaluated)
    assert line == (
        f"{tmp_path}/val.json: annotations without 'iscrowd': 2, first that of id 8; pycocotools "
        'evaluates no such file. Give each "iscrowd": 0'
    )
    said(evaluated, 'train_dataloader')


def test_only_what_pycocotools_evaluates_must_tell_crowds(evaluated, tmp_path, said):
    edit_annotations(tmp_path / 'val.json', lambda them: [each.pop('iscrowd') for each in them])
    for other in (
        dict(type='CocoMetric'),  # makes a file of its own
        dict(type='CocoMetric', ann_file=str(tmp_path / 'val.json'), format_only=True),
        dict(type='LVISMetric', ann_file=str(tmp_path / 'val.json')),
        dict(type='VOCMetric'),
    ):
        evaluated.val_evaluator = [other]
        said(evaluated)
    evaluated.val_evaluator = [dict(type=CocoMetric, ann_file=str(tmp_path / 'val.json'))]
    assert 'first that of id 7;' in problems(evaluated)[0]


def test_a_truth_of_the_id_0_cannot_be_evaluated(evaluated, tmp_path, said):
    edit_annotations(tmp_path / 'train.json', lambda them: them[0].update(id=0))
    edit_annotations(tmp_path / 'val.json', lambda them: them[3].update(id=0))  # of no class
    assert average_precision(tmp_path / 'val.json') == 1
    said(evaluated)
    edit_annotations(tmp_path / 'val.json', lambda them: (them[0].update(id=0), them.pop()))
    assert average_precision(tmp_path / 'val.json') == 0.5  # the RBC is found, and not counted
    (line,) = problems(evaluated)
    assert line == (
        f'{tmp_path}/val.json: an annotation has the id 0, and pycocotools takes what it is '
        'matched with for a false alarm. Number the annotations from 1'
    )


def test_a_truth_whose_id_is_no_number_cannot_be_evaluated(evaluated, tmp_path, said):
    def name(annotations):
        for each, number in zip(annotations, ('a-7', '8'), strict=False):
            each['id'] = number

    edit_annotations(tmp_path / 'train.json', name)
    edit_annotations(tmp_path / 'val.json', lambda them: them[3].update(id='none'))  # of no class
    edit_annotations(tmp_path / 'val.json', lambda them: them[0].update(id='7'))
    assert average_precision(tmp_path / 'val.json') == 1
    said(evaluated)
    edit_annotations(tmp_path / 'val.json', name)
    with pytest.raises(ValueError, match='a-7'):
        average_precision(tmp_path / 'val.json')
    (line,) = problems(evaluated)
    assert line == (
        f"{tmp_path}/val.json: annotations whose id is no number: 1, first 'a-7'; pycocotools ends "
        'at them. Number the annotations from 1'
    )


def test_two_annotations_of_one_id_stop_the_run(coco, tmp_path):
    edit_annotations(tmp_path / 'train.json', lambda them: them[1].update(id=7))
    with pytest.raises(AssertionError, match='not unique'):
        mmdets_labels(coco)
    (line,) = problems(coco)
    assert line == (
        f'{tmp_path}/train.json: annotations that have the id of another: 1, first 7; mmdet reads '
        'no such file. Number the annotations from 1, each once'
    )
    edit_annotations(tmp_path / 'train.json', lambda them: them[1].pop('id'))
    assert problems(coco)[0].endswith("(KeyError: 'id')")


ODD = {
    'less than 1 px wide or high': dict(bbox=[10, 10, 0.9, 20]),
    'less than 1 px wide or high ': dict(bbox=[30, 30, -20, -20]),
    'outside its image': dict(bbox=[100, 10, 20, 20]),
    'outside its image ': dict(bbox=[10, -20, 20, 20]),
    'of an area that is not above 0': dict(area=0),
    'less than 1 px wide or high; in COCO boxes are x, y, width, height in px, no shares of the '
    'image': dict(bbox=[0.1, 0.1, 0.2, 1]),
}


@pytest.mark.parametrize('why', ODD)
def test_boxes_that_mmdet_drops_are_not_counted_but_said(coco, tmp_path, said, why):
    edit_annotations(tmp_path / 'train.json', lambda them: them[0].update(ODD[why]))
    assert mmdets_labels(coco) == [(1, False), (1, True)]
    box = ' '.join(f'{value:g}' for value in ODD[why].get('bbox', [10, 10, 20, 20]))
    cells, notes = said(coco, 'train_dataloader')
    assert cells == {'RBC': [0, 0], 'WBC': [1, 1], 'all': [1, 1]}
    assert (
        f'note: train boxes that mmdet drops: 1, first {box} of the annotation 7 of '
        f'{tmp_path}/a.jpg: {why.strip()}'
    ) in notes


@pytest.mark.parametrize(
    'kept', [dict(bbox=[10, 10, 1, 1]), dict(bbox=[99, -1, 20, 20]), dict(area=0.1)]
)
def test_boxes_that_mmdet_does_not_drop_are_counted(coco, tmp_path, said, kept):
    edit_annotations(tmp_path / 'train.json', lambda them: them[0].update(kept))
    assert mmdets_labels(coco) == [(0, False), (1, False), (1, True)]
    assert said(coco, 'train_dataloader')[0]['all'] == [2, 1]


def test_where_mmdet_drops_all_there_is_nothing_to_train_on(evaluated, tmp_path, said):
    def drop(annotations):
        for each in annotations:
            each['area'] = 0

    edit_annotations(tmp_path / 'val.json', drop)
    assert average_precision(tmp_path / 'val.json') == 1  # what mmdet drops is evaluated
    notes = said(evaluated)[1]
    assert any('val boxes that mmdet drops, and pycocotools counts: 3, ' in each for each in notes)
    assert notes[-1] == f'note: {tmp_path}/val.json: no box of RBC, WBC is left'
    edit_annotations(tmp_path / 'train.json', drop)
    (line,) = problems(evaluated)
    assert line == (
        f'{tmp_path}/train.json: no box of RBC, WBC is left to train on; mmdet drops 3, first '
        f'10 10 20 20 of the annotation 7 of {tmp_path}/a.jpg: of an area that is not above 0'
    )


def test_swapped_corners_stop_the_run(voc, tmp_path, said):
    edit(tmp_path / 'Annotations/b.xml', '<xmin>1<', '<xmin>21<')
    expected = (
        f'{tmp_path}/Annotations/b.xml:3: RBC has the corners 21 1 and 20 20; its xmin is above '
        'its xmax, or its ymin above its ymax'
    )
    assert problems(voc) == [expected] * 2  # it is among both images
    edit(tmp_path / 'Annotations/b.xml', '<xmin>21<', '<xmin>20<')
    assert said(voc)[0]['RBC'] == [2, 2, 1, 1]


def test_boxes_without_area_and_outside_are_said(voc, tmp_path, said):
    odd = [('RBC', 0, 5, 5, 5, 9), ('RBC', 0, 1, 1, 102, 51), ('RBC', 0, 1, 1, 103, 51)]
    text = XML.format(''.join(OBJECT.format(*row) for row in odd))
    (tmp_path / 'Annotations/c.xml').write_text(text)
    of = f'of {tmp_path}/JPEGImages/c.jpg'
    assert said(voc, 'train_dataloader')[1][1:] == [
        f'note: train boxes without area: 1, first RBC 4 4 4 8 {of}',
        # one pixel is rounding, two are not
        f'note: train boxes that leave their image: 1, first RBC 0 0 102 50 {of}',
    ]


def test_a_box_leaves_its_image_to_the_left_and_above_too(voc, tmp_path, said):
    rows = [('RBC', 0, 0, 1, 20, 20), ('RBC', 0, -1, 1, 20, 20), ('RBC', 0, 1, -1, 20, 20)]
    text = XML.format(''.join(OBJECT.format(*row) for row in rows))
    (tmp_path / 'Annotations/c.xml').write_text(text)
    # mmdet takes a pixel off: the first leaves by one, which is rounding.
    assert said(voc, 'train_dataloader')[1][1:] == [
        'note: train boxes that leave their image: 2, first RBC -2 0 19 19 of '
        f'{tmp_path}/JPEGImages/c.jpg'
    ]


def test_a_box_of_a_name_that_no_class_takes_is_not_odd(coco, tmp_path, said):
    content = json.loads((tmp_path / 'train.json').read_text())
    content['annotations'][3]['bbox'] = [90, 10, 20, 0]  # of the platelet
    (tmp_path / 'train.json').write_text(json.dumps(content))
    assert said(coco, 'train_dataloader')[1] == [
        'note: train boxes of names that no class takes: 1, Platelets 1',
        'note: train boxes that are ignored: 1, WBC 1',
    ]


def test_no_box_leaves_an_image_whose_size_is_not_known(voc, tmp_path, said):
    path = tmp_path / 'Annotations/a.xml'
    path.write_text(re.sub(r'<(width|height)>\d+<', r'<\1>0<', path.read_text()))
    assert not any('leave their image' in line for line in said(voc, 'train_dataloader')[1])


@pytest.mark.parametrize('num', [1, 3])
def test_a_head_of_another_number_of_classes_stops_the_run(voc, said, num):
    voc.model = dict(roi_head=dict(bbox_head=[dict(type='A', num_classes=2)]), rpn_head=dict())
    said(voc)
    voc.model.roi_head.bbox_head = dict(type='A', num_classes=num)
    (line,) = problems(voc)
    assert line.startswith(
        f'model.roi_head.bbox_head.num_classes is {num}, and the data have 2 classes: RBC, WBC; '
    )


def test_data_of_other_classes_than_the_training_stop_the_run(voc):
    voc.val_dataloader.dataset.metainfo.classes = CLASSES[::-1]
    (line,) = problems(voc)
    assert "val.txt has the classes ('WBC', 'RBC')" in line


def test_of_several_processes_the_first_looks(voc, said, monkeypatch, tmp_path):
    monkeypatch.setenv('RANK', '1')
    (tmp_path / 'train.txt').unlink()
    assert said(voc) == ({}, [])


def test_any_data_set_of_mmdet_is_looked_through(tmp_path, said):
    (tmp_path / 'a.jpg').write_bytes(b'its content is not looked at')
    boxes = [dict(bbox=[0, 0, 9, 9], bbox_label=1, ignore_flag=flag) for flag in (0, 1)]
    images = [dict(img_path=name, height=50, width=100, instances=boxes) for name in ('a.jpg', 'b')]
    content = dict(metainfo=dict(classes=CLASSES), data_list=images[:1])
    (tmp_path / 'train.json').write_text(json.dumps(content))
    cfg = loaders(type='BaseDetDataset', data_root=str(tmp_path), data_prefix=dict(img_path=''))
    assert said(cfg, 'train_dataloader')[0] == {'RBC': [0, 0], 'WBC': [1, 1], 'all': [1, 1]}
    (tmp_path / 'train.json').write_text(json.dumps(dict(content, data_list=images)))
    assert problems(cfg, 'train_dataloader')[0].startswith(f'{tmp_path}/b is missing')


@pytest.mark.parametrize('classes', [CLASSES[::-1], CLASSES[:1]])
def test_other_classes_than_those_that_mmdets_own_format_numbers_stop_the_run(tmp_path, classes):
    (tmp_path / 'a.jpg').write_bytes(b'its content is not looked at')
    box = dict(bbox=[0, 0, 9, 9], bbox_label=1, ignore_flag=0)
    image = dict(img_path='a.jpg', height=50, width=100, instances=[box, dict(box, bbox_label=0)])
    content = dict(metainfo=dict(classes=CLASSES), data_list=[image])
    (tmp_path / 'train.json').write_text(json.dumps(content))
    cfg = loaders(
        type='BaseDetDataset',
        data_root=str(tmp_path),
        data_prefix=dict(img_path=''),
        metainfo=dict(classes=classes),
    )
    assert mmdets_labels(cfg) == [(1, False), (0, False)]  # whatever the classes are
    (line,) = problems(cfg, 'train_dataloader')
    assert f'in the order RBC, WBC, and the classes are {", ".join(classes)}: ' in line


def test_images_that_a_hook_is_to_draw_are_among_those_that_train(voc, tmp_path):
    voc.custom_hooks = [dict(type='MiningVisualizationHook', images=('a', 'b.jpg', 1))]
    check_data(voc, 'train_dataloader')
    voc.custom_hooks[0].images = ('a', 'absent', 1)
    named = (
        f"MiningVisualizationHook is to draw 'absent', which is no image of {tmp_path}/train.txt"
    )
    with pytest.raises(LaunchError, match=re.escape(named)):
        check_data(voc, 'train_dataloader')
