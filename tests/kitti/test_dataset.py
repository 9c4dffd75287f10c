import numpy as np
import pytest
from mmdet.registry import DATASETS
from PIL import Image

from mmdet_lrm.kitti import KittiDataset
from mmdet_lrm.kitti.objects import KittiDataError

LABELS = {
    '000000': [
        'Car 0.20 1 0 10 20 50 40 1 1 1 1 1 1 0',
        'Van 0.00 0 0 20 10 60 30 1 1 1 1 1 1 0',
        'Person_sitting 0.00 0 0 20 10 60 30 1 1 1 1 1 1 0',
        'Truck 0.00 0 0 20 10 60 30 1 1 1 1 1 1 0',
        'DontCare -1 -1 -10 0 0 9 9 -1 -1 -1 -1000 -1000 -1000 -10',
    ],
    '000001': ['Van 0.00 0 0 20 10 60 30 1 1 1 1 1 1 0'],
    '000002': ['Cyclist 0.00 2 0 20 10 60 30 1 1 1 1 1 1 0'],
}


@pytest.fixture
def root(tmp_path):
    """Three frames of 100 x 50 px, png but the last, in KITTI's folders."""
    for folder in ('training/image_2', 'training/label_2', 'testing/image_2', 'ImageSets'):
        (tmp_path / folder).mkdir(parents=True)
    for frame, lines in LABELS.items():
        suffix = 'jpg' if frame == '000002' else 'png'
        Image.new('RGB', (100, 50)).save(tmp_path / f'training/image_2/{frame}.{suffix}')
        (tmp_path / f'training/label_2/{frame}.txt').write_text('\n'.join(lines) + '\n')
    (tmp_path / 'ImageSets/train.txt').write_text('\n'.join(LABELS) + '\n')
    return tmp_path


def test_reads_the_official_folders_by_the_default_arguments(root):
    dataset = DATASETS.build(dict(type='KittiDataset', data_root=str(root)))
    info = dataset.get_data_info(2)
    assert [dataset.get_data_info(i)['img_id'] for i in range(3)] == list(LABELS)
    assert info['img_path'].endswith('training/image_2/000002.jpg')
    assert (info['width'], info['height']) == (100, 50)
    assert info['instances'] == [
        dict(
            bbox=[20, 10, 60, 30],
            bbox_label=2,
            ignore_flag=0,
            truncated=0,
            occluded=2,
            width=40,
            height=20,
        )
    ]


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        # Label and ignore flag of the frame's Car, Van, Person_sitting, Truck and DontCare.
        ({}, [(0, 0), (0, 1), (1, 1), (0, 1)]),
        (dict(metainfo=dict(classes=('Cyclist', 'Car'))), [(1, 0), (1, 1), (0, 1)]),
        (dict(metainfo=dict(classes=('Van', 'Car'))), [(1, 0), (0, 0), (0, 1)]),
        (dict(metainfo=dict(classes=['Truck'])), [(0, 0), (0, 1)]),
        (dict(ignore_types=('Truck',)), [(0, 0), (0, 1)]),
        (dict(ignore_types=()), [(0, 0)]),
        (dict(ignore_types=('Car', 'Van')), [(0, 0), (0, 1)]),
    ],
)
def test_neighbours_and_dontcare_are_ignored_and_other_types_background(root, options, expected):
    instances = KittiDataset(data_root=str(root), **options).get_data_info(0)['instances']
    assert [(obj['bbox_label'], obj['ignore_flag']) for obj in instances] == expected


def test_types_of_ones_own_are_classes_or_ignored_and_others_are_named(root):
    with open(root / 'training/label_2/000000.txt', 'a') as label:
        label.write('Lorry 0 0 0 1 1 9 9 1 1 1 1 1 1 0\nTram7 0 0 0 2 2 9 9 1 1 1 1 1 1 0\n')
    options = dict(data_root=str(root), metainfo=dict(classes=('Car', 'Lorry')))
    with pytest.raises(KittiDataError, match=r"000000\.txt:7: type 'Tram7' is unknown"):
        KittiDataset(**options)
    dataset = KittiDataset(**options, ignore_types=('Tram7',))
    assert [
        (obj['bbox'][0], obj['bbox_label'], obj['ignore_flag'])
        for obj in dataset.get_data_info(0)['instances']
    ] == [(10, 0, 0), (1, 1, 0), (2, 0, 1)]
    assert len(set(dataset.metainfo['palette'])) == 2


def test_palette_follows_the_classes(root):
    default = KittiDataset(data_root=str(root)).metainfo
    other = KittiDataset(data_root=str(root), metainfo=dict(classes=('Cyclist', 'Car'))).metainfo
    assert other['classes'] == ('Cyclist', 'Car')
    assert other['palette'] == [default['palette'][2], default['palette'][0]]


def test_pipeline_splits_ignored_instances_off(root):
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='PackDetInputs'),
    ]
    sample = KittiDataset(data_root=str(root), pipeline=pipeline)[0]['data_samples']
    assert sample.gt_instances.labels.tolist() == [0]
    assert sample.ignored_instances.labels.tolist() == [0, 1, 0]
    assert sample.ignored_instances.bboxes.tensor[2].tolist() == [0, 0, 9, 9]


def test_filter_leaves_out_frames_without_an_instance_of_the_classes(root):
    def ids(**kwargs):
        dataset = KittiDataset(data_root=str(root), **kwargs)
        return [dataset.get_data_info(i)['img_id'] for i in range(len(dataset))]

    assert ids(filter_cfg=dict(filter_empty_gt=True)) == ['000000', '000002']
    assert len(ids(filter_cfg=dict(min_size=50))) == 3
    with pytest.raises(ValueError, match='none of the 3 frames'):
        ids(filter_cfg=dict(min_size=51))
    assert len(ids(filter_cfg=dict(filter_empty_gt=True), test_mode=True)) == 3
    with pytest.raises(ValueError, match='bbox_min_size'):
        ids(filter_cfg=dict(bbox_min_size=3))


def test_category_ids_leave_ignored_instances_out(root):
    dataset = KittiDataset(data_root=str(root))
    assert [dataset.get_cat_ids(i) for i in range(3)] == [[0], [], [2]]


def test_a_box_without_area_is_ignored(root):
    label = root / 'training/label_2/000001.txt'
    label.write_text('Car 0 0 0 20 10 20 30 1 1 1 1 1 1 0\n')
    instances = KittiDataset(data_root=str(root)).get_data_info(1)['instances']
    assert [obj['ignore_flag'] for obj in instances] == [1]


def test_a_box_that_sticks_out_by_rounding_is_clipped_and_keeps_its_size(root, monkeypatch):
    logged = []
    monkeypatch.setattr('mmdet_lrm.kitti.dataset.print_log', lambda text, **_: logged.append(text))
    (root / 'training/label_2/000001.txt').write_text('Car 0 0 0 80 10 101 30 1 1 1 1 1 1 0\n')
    (instance,) = KittiDataset(data_root=str(root)).get_data_info(1)['instances']
    assert instance['bbox'] == [80, 10, 100, 30]
    assert instance['width'] == 21
    assert len(logged) == 1 and logged[0].startswith('1 boxes')


@pytest.mark.parametrize('prefix', [dict(img='testing/image_2'), None])
def test_test_frames_need_no_labels(root, prefix):
    prefix = prefix or dict(img='testing/image_2', label=None)
    Image.new('RGB', (100, 50)).save(root / 'testing/image_2/000009.png')
    (root / 'ImageSets/test.txt').write_text('000009\n')
    options = dict(data_root=str(root), ann_file='ImageSets/test.txt', data_prefix=prefix)
    dataset = KittiDataset(test_mode=True, **options)
    assert dataset.get_data_info(0)['instances'] == []
    with pytest.raises(ValueError, match='test_mode'):
        KittiDataset(**options)


def test_everything_missing_in_the_layout_is_named_at_once(tmp_path):
    with pytest.raises(FileNotFoundError, match='prepare_kitti') as error:
        KittiDataset(data_root=str(tmp_path / 'nowhere'))
    for part in ('nowhere/ImageSets/train.txt', 'training/image_2', 'training/label_2'):
        assert part in str(error.value)


def test_all_problems_of_the_data_are_reported_at_once(root):
    (root / 'training/image_2/000000.png').unlink()
    (root / 'training/label_2/000001.txt').write_text('Car 0 0 0 50 10 20 30 1 1 1 1 1 1 0\n')
    (root / 'training/label_2/000002.txt').unlink()
    with (root / 'ImageSets/train.txt').open('a') as split:
        split.write('000001\n00/3\n')
    with pytest.raises(KittiDataError) as error:
        KittiDataset(data_root=str(root))
    assert len(error.value.problems) == 5
    text = '\n'.join(error.value.problems)
    for part in ('train.txt:1', '000001.txt:1', '000002', 'train.txt:4', 'train.txt:5'):
        assert part in text


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(metainfo=dict(classes=('Car', 'truck'))), "classes has 'truck'"),
        (dict(metainfo=dict(classes=('Car', 'Big truck'))), 'one word'),
        (dict(metainfo=dict(classes=('Car', 'DontCare'))), 'never DontCare'),
        (dict(metainfo=dict(classes=('Car', 'Car'))), 'another'),
        (dict(metainfo=dict(classes=())), 'classes'),
        (dict(ignore_types='Van'), 'Van'),
        (dict(data_prefix=dict(img_path='x')), 'img_path'),
    ],
)
def test_wrong_options_are_refused(root, options, message):
    with pytest.raises(ValueError, match=message):
        KittiDataset(data_root=str(root), **options)


def test_reads_the_real_subset(shared_dir):
    root = shared_dir / 'data/kitti_subset'
    dataset = KittiDataset(data_root=str(root), ann_file='ImageSets/val.txt')
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert len(infos) == 331
    labels = [o['bbox_label'] for i in infos for o in i['instances'] if not o['ignore_flag']]
    assert np.bincount(labels).tolist() == [1224, 307, 449]
