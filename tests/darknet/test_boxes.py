"""The boxes of a training set as the network sees them, from files that say wrong things."""

import json
import runpy
import sys
from pathlib import Path

import pytest
from mmengine.config import ConfigDict
from PIL import Image

from mmdet_lrm.darknet.boxes import BoxesError, box_sizes, input_size, own_priors
from mmdet_lrm.kitti.drawing import draw_kitti
from mmdet_lrm.launch import LaunchError

ROOT = Path(__file__).parents[2]
SIZE = '<size><width>{}</width><height>{}</height><depth>3</depth></size>'
# 40 x 20 px; mmdet subtracts 1 from both ends.
OBJECT = '<object><name>cell</name><bndbox>{}</bndbox></object>'
BOX = '<xmin>11</xmin><ymin>6</ymin><xmax>51</xmax><ymax>26</ymax>'


@pytest.fixture
def voc(tmp_path):
    """A function that writes pictures of 100 x 50 px, and what their XML says; the dataset."""

    def make(*sizes: str, box: str = BOX, orientation: int = 1, **options) -> ConfigDict:
        for folder in ('JPEGImages', 'Annotations'):
            (tmp_path / folder).mkdir(exist_ok=True)
        exif = Image.Exif()
        exif[0x112] = orientation
        for index, size in enumerate(sizes):
            Image.new('RGB', (100, 50)).save(tmp_path / f'JPEGImages/{index}.jpg', exif=exif)
            xml = f'<annotation>{size}{OBJECT.format(box)}</annotation>'
            (tmp_path / f'Annotations/{index}.xml').write_text(xml)
        (tmp_path / 'list.txt').write_text('\n'.join(map(str, range(len(sizes)))))
        return ConfigDict(
            type='XMLDataset',
            data_root=str(tmp_path),
            ann_file='list.txt',
            data_prefix=dict(sub_data_root=''),
            metainfo=dict(classes=('cell',)),
            **options,
        )

    return make


@pytest.fixture
def coco(tmp_path):
    """A function that writes one picture of 100 x 50 px and its annotations; the dataset."""

    def make(box: str = '[10, 5, 40, 20]', **image) -> ConfigDict:
        Image.new('RGB', (100, 50)).save(tmp_path / '0.jpg')
        content = dict(
            images=[dict(id=0, file_name='0.jpg') | image],
            annotations=[dict(id=0, image_id=0, category_id=1, area=800, bbox='BOX')],
            categories=[dict(id=1, name='cell')],
        )
        # By hand, so that a box may hold NaN.
        (tmp_path / 'list.json').write_text(json.dumps(content).replace('"BOX"', box))
        return ConfigDict(
            type='CocoDataset',
            data_root=str(tmp_path),
            ann_file='list.json',
            data_prefix=dict(img=''),
            metainfo=dict(classes=('cell',)),
        )

    return make


@pytest.mark.parametrize('filter_cfg', [None, dict(filter_empty_gt=True, min_size=32)])
@pytest.mark.parametrize('stated', [(0, 0), (100, 0), (-100, -50), (50, 100)])
def test_a_wrong_size_in_xml_gives_what_an_absent_one_gives(voc, caplog, stated, filter_cfg):
    absent = box_sizes(voc('', '', filter_cfg=filter_cfg), (200, 200))
    assert absent.tolist() == [[80, 80], [80, 80]]  # 40 x 20 px of 100 x 50
    assert not caplog.records
    dataset = voc(SIZE.format(*stated), SIZE.format(100, 50), filter_cfg=filter_cfg)
    assert box_sizes(dataset, (200, 200)).tolist() == absent.tolist()
    (record,) = caplog.records
    assert record.message.startswith('1 pictures have another size than their annotations say')
    assert f'JPEGImages/0.jpg: 100 x 50, not {stated[0]} x {stated[1]}.' in record.message


def test_a_turned_photograph_is_measured_as_it_is_loaded(voc):
    sizes = box_sizes(voc(SIZE.format(100, 50), orientation=6), (200, 200))
    assert sizes.tolist() == [[160, 40]]  # 40 x 20 px of 50 x 100


def test_images_smaller_than_the_filter_allows_are_left_out(voc):
    assert len(box_sizes(voc('', filter_cfg=dict(min_size=50)), (100, 50))) == 1
    with pytest.raises(BoxesError, match='no box'):
        box_sizes(voc('', filter_cfg=dict(min_size=51)), (100, 50))


def test_boxes_are_cut_at_their_picture_and_those_without_area_said(voc, caplog):
    far = '<xmin>61</xmin><ymin>6</ymin><xmax>1000001</xmax><ymax>26</ymax>'
    assert box_sizes(voc('', box=far), (100, 50)).tolist() == [[40, 20]]
    assert not caplog.records
    with pytest.raises(BoxesError, match='no box'):
        box_sizes(voc('', box=far.replace('61', '201')), (100, 50))
    assert caplog.messages[0].startswith('1 of 1 boxes have no area inside their picture')


@pytest.mark.parametrize(
    ('box', 'size'),
    [
        (BOX.replace('51', 'nan'), ''),
        (BOX.replace('51', 'inf'), ''),
        (BOX.replace('51', 'right'), ''),
        (BOX.replace('xmax', 'right'), ''),
        (BOX, SIZE.format('nan', 50)),
        (BOX, '<size></size>'),
        (BOX, '<size>'),
    ],
)
def test_xml_that_mmdet_cannot_read_is_one_error(voc, box, size):
    with pytest.raises(BoxesError, match=r"annotations of XMLDataset 'list\.txt' cannot be read"):
        box_sizes(voc(size, box=box), (100, 50))


def test_a_missing_picture_is_named(voc, tmp_path):
    dataset = voc(SIZE.format(100, 50))
    (tmp_path / 'JPEGImages/0.jpg').unlink()
    with pytest.raises(BoxesError, match=r'1 pictures of the training set are amiss: .*0\.jpg: no'):
        box_sizes(dataset, (100, 50))


def test_a_coco_size_of_zero_is_named_since_mmdet_drops_its_boxes(coco, caplog):
    assert box_sizes(coco(width=100, height=50), (100, 50)).tolist() == [[40, 20]]
    assert not caplog.records
    with pytest.raises(BoxesError, match='no box'):
        box_sizes(coco(width=0, height=50), (100, 50))
    assert '0.jpg: 100 x 50, not 0 x 50.' in caplog.messages[0]


@pytest.mark.parametrize('box', ['[10, 5, Infinity, 20]', '[10, 5, 40, 1e999]'])
def test_a_coco_box_that_is_not_finite_is_named(coco, box):
    with pytest.raises(BoxesError, match=r'the box .* of .*0\.jpg is not finite'):
        box_sizes(coco(box, width=100, height=50), (100, 50))


@pytest.mark.parametrize('image', [{}, dict(width=None, height=None), dict(width='a', height='b')])
def test_coco_images_without_a_size_are_one_error(coco, image):
    with pytest.raises(BoxesError, match=r"annotations of CocoDataset 'list\.json' cannot be read"):
        box_sizes(coco(**image), (100, 50))


def test_the_input_size_is_that_of_the_step_that_fixes_it():
    def size(*pipeline):
        return input_size(ConfigDict(data_root='', pipeline=list(pipeline)))

    assert size(dict(type='Resize', scale=(96, 64), keep_ratio=False)) == (96, 64)
    assert size(dict(type='Resize', scale=(96, 64))) == (96, 64)  # as mmcv has it
    assert size(dict(type='Resize', scale=96)) == (96, 96)
    assert size(dict(type='Resize', scale_factor=0.5), dict(type='Resize', scale=96)) == (96, 96)
    assert size(dict(type='DarknetJitter', scale=(96, 64))) == (96, 64)
    with pytest.raises(BoxesError, match='give --scale W H'):
        size(dict(type='Resize', scale=(96, 64), keep_ratio=True))


def test_only_yolos_priors_are_a_configs_own():
    def priors(**generator):
        return own_priors(ConfigDict(model=dict(bbox_head=dict(anchor_generator=generator))))

    assert priors(type='YOLOAnchorGenerator', strides=[8], base_sizes=[[(3, 4)]]) == [[(3, 4)]]
    assert priors(type='SSDAnchorGenerator') == []
    assert own_priors(ConfigDict(model=dict(bbox_head={}))) == []


@pytest.fixture
def program(tmp_path, monkeypatch):
    """main of tools/anchors.py, on six drawn frames."""
    monkeypatch.setenv('KITTI_ROOT', str(draw_kitti(tmp_path / 'kitti', 6, 1)))
    return runpy.run_path(str(ROOT / 'tools/anchors.py'))['main']


def test_the_lines_to_paste_are_printed(program, tmp_path, capsys):
    picture = tmp_path / 'priors.png'
    program([str(ROOT / 'configs/yolov3_kitti.py'), '--num', '6', '--out', str(picture)])
    printed = capsys.readouterr().out
    assert 'boxes of' in printed and "mean IoU with the config's 9 priors" in printed
    lines = printed[printed.index('anchor_generator') :].split('\n\nwrote')[0]
    pasted = eval(lines.removeprefix('anchor_generator='))
    assert [len(level) for level in pasted['base_sizes']] == [2, 2, 2]
    with Image.open(picture) as image:
        assert image.size == (840, 600)  # 7 x 5 inches of 120 dots


def test_variables_of_the_config_are_set_as_in_a_training(program, tmp_path, monkeypatch, capsys):
    config = str(ROOT / 'configs/yolov2-tiny_kitti.py')
    other = draw_kitti(tmp_path / 'other', 2, 1)
    program([config, '--cfg-options', f'data_root={other}/', 'img_scale=(160,64)'])
    printed = capsys.readouterr().out
    labels = (other / 'training/label_2').iterdir()
    train = (other / 'ImageSets/train.txt').read_text().split()
    num = sum(
        line.split()[0] in ('Car', 'Pedestrian', 'Cyclist')
        for path in labels
        if path.stem in train
        for line in path.read_text().splitlines()
    )
    assert f'{num} boxes of {config} at 160 x 64\n' in printed
    program([config, '--cfg-options', 'train_dataloader.dataset.pipeline.2.scale=(96,96)'])
    assert ' at 96 x 96' in capsys.readouterr().out
    for setting, message in (
        ('data_root=/nowhere/', "needs '/nowhere"),
        ('img_scal=(160,64)', "there is no variable 'img_scal'; set img_scale"),
        ('train_cfg.max_epochs.x=1', 'does not fit'),
    ):
        with pytest.raises(LaunchError, match=message):
            program([config, '--cfg-options', setting])


def test_an_input_without_size_is_a_wrong_usage(program, capsys):
    with pytest.raises(SystemExit) as ended:
        program([str(ROOT / 'configs/yolov3_kitti.py'), '--scale', '0', '384'])
    assert ended.value.code == 2
    assert '--scale is 0 384; both must be 1 px at least' in capsys.readouterr().err


def test_an_error_is_one_line_and_status_1(program, monkeypatch):
    config = str(ROOT / 'configs/yolov3_kitti.py')
    monkeypatch.setattr(sys, 'argv', ['anchors.py', config, '--num', '7'])
    with pytest.raises(SystemExit, match=r'^error: --num is 7, and the config has 3 levels'):
        runpy.run_path(str(ROOT / 'tools/anchors.py'), run_name='__main__')
