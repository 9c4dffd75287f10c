"""Python in the documents: configs build, studies plan, and what asserts something holds."""

import re

import pytest
from mmengine.config import Config
from page_blocks import DOCUMENTS, ROOT, blocks

from mmdet_lrm.launch import require_parts
from mmdet_lrm.study.plan import make_plan
from mmdet_lrm.study.reading import read_study

# By a name in them: they need a trained network, or are pieces of one file.
ELSEWHERE = {'DetInferencer': 'test_commands.py', 'MinedRetinaHead': 'test_new_head.py'}
BLOCKS = [
    pytest.param(text, id=f'{document}-{index}')
    for document in DOCUMENTS
    for index, text in enumerate(blocks(document, 'python'))
    if not any(name in text for name in ELSEWHERE)
]
BASE_OF_HEAD = "_base_ = 'mmdet::yolo/yolov3_d53_8xb8-320-273e_coco.py'\n"


def test_the_difference_that_the_readme_shows_is_the_overlay():
    (block,) = blocks('README.md', 'diff')
    overlay = (ROOT / 'configs/yolov2_lrm_kitti.py').read_text()
    assert [line[1:] for line in block.splitlines()] == overlay.replace('\n\n', '\n').splitlines()


@pytest.mark.slow
@pytest.mark.parametrize('text', BLOCKS)
def test_a_block_of_python_is_what_it_seems(text, tmp_path):
    if 'mmrotate::' in text:
        pytest.importorskip('mmrotate', reason="needs the extra 'rotate'", exc_type=ImportError)
    if re.search('^assert ', text, re.MULTILINE):
        exec(text, {})
    elif re.search('^baseline = ', text, re.MULTILINE):
        plans(text, tmp_path / 'study.py')
    else:
        builds(text, tmp_path / 'config.py')


def plans(text, file):
    """A study beside its configs."""
    file.write_text(re.sub(r"'([\w-]+\.py)'", rf"'{ROOT}/configs/\1'", text))
    assert len(make_plan(read_study(file))) == 6 * 5


def builds(text, file):
    """A config, or a piece of one, whose base the text around it names."""
    needs_base = 'LRMYOLOV3Head' in text and '_base_' not in text
    file.write_text(BASE_OF_HEAD * needs_base + text)
    config = Config.fromfile(file)
    assert config.keys() & {'model', 'custom_hooks', 'default_hooks'}
    if 'model' in config:
        config.model.backbone.init_cfg = None
    require_parts(config)
