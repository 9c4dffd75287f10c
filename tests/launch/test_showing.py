"""What is known of images that are to be shown, by the data sets of a config."""

import pytest
from mmengine.config import Config

from mmdet_lrm.launch.showing import annotations

XML = (
    '<annotation><size><width>100</width><height>50</height></size>'
    '<object><name>RBC</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>20</xmax><ymax>20</ymax>'
    '</bndbox></object><object><name>RBC</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>5</xmax>'
    '<ymax>9</ymax></bndbox></object></annotation>'
)


@pytest.mark.parametrize(
    ('filter_cfg', 'ignored'),
    [(None, [0, 0]), (dict(filter_empty_gt=True, bbox_min_size=1), [0, 1])],
)
def test_objects_of_voc_are_those_that_the_training_set_learns(filter_cfg, ignored, tmp_path):
    for folder, suffix, content in (('JPEGImages', 'jpg', ''), ('Annotations', 'xml', XML)):
        (tmp_path / folder).mkdir()
        (tmp_path / f'{folder}/a.{suffix}').write_text(content)
    (tmp_path / 'train.txt').write_text('a\n')
    dataset = dict(
        type='XMLDataset',
        data_root=str(tmp_path),
        data_prefix=dict(sub_data_root=''),
        metainfo=dict(classes=('RBC',)),
        ann_file='train.txt',
        filter_cfg=filter_cfg,
    )
    cfg = Config(dict(train_dataloader=dict(dataset=dataset)))
    known, other = tmp_path / 'JPEGImages/a.jpg', tmp_path / 'b.jpg'
    (info, nothing), classes = annotations(cfg, [known, other])
    assert [each['ignore_flag'] for each in info['instances']] == ignored
    assert nothing is None and classes == ('RBC',)
