"""tools/benchmark.py: what it refuses at once, and a small comparison from drawing to table."""

import importlib
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmengine.config import Config

from mmdet_lrm.kitti.drawing import draw_kitti

ROOT = Path(__file__).parents[2]
TOOL = [sys.executable, str(ROOT / 'tools/benchmark.py')]
TINY = str(ROOT / 'configs/yolov2-tiny_kitti.py')
VOC = str(ROOT / 'configs/yolov2_voc.py')
MINED = str(ROOT / 'configs/yolov2-tiny_lrm_kitti.py')
REDUCED = ROOT / 'configs/_base_/reduced'


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return draw_kitti(tmp_path_factory.mktemp('data') / 'kitti', 8, 4)


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tools')
    yield importlib.import_module('benchmark')
    sys.modules.pop('benchmark', None)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([TINY], 'the results need a name'),
        (['x', TINY], 'give another config, --variants or --grid'),
        (['x', TINY, MINED, '--seeds', '0'], '--seeds is 0; it must be at least 1'),
        (['x', '--variants', 'hard_ratio=0.1'], '--grid and --variants need a config'),
        (['x', TINY, '--grid', 'hard_ratio'], "--grid has 'hard_ratio'; give KEY=VALUE"),
        (
            ['x', TINY, '--variants', 'hard_ratio=0.1 element'],
            "--variants has 'element'; give KEY=VALUE",
        ),
        (
            ['x', TINY, '--variants', 'one: num_hard=1', 'one: num_hard=2'],
            "2 variants are called 'one'; give each its own name",
        ),
        (['x', TINY, '--variants', 'element=row'], "element=row: .*lrm.element is 'row'"),
        (['x', TINY, MINED, '--overlay', 'no.py'], "the overlay 'no.py' is not a file"),
        (['x', TINY, '--grid', 'hard_ratio=0.1,2'], 'hard_ratio=2: .*lrm.hard_ratio is 2'),
        (['x', MINED, '--grid', 'hard_ratio=0.1'], 'has an lrm already'),
        (['x', VOC, '--grid', 'hard_ratio=0.1'], 'yolov2_voc.py trains by iterations'),
        (['x', TINY, MINED, '--last', '16'], '--last is 16, and .* trains 15 epochs'),
        (
            ['x', TINY, str(ROOT / 'configs/yolov2-tiny_focal_kitti.py')],
            r'in more than model.bbox_head.lrm:\n +model.bbox_head.loss_conf.type',
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_before_any_training(
    arguments, message, data, tmp_path, benchmark, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', ['benchmark.py', *arguments, '--data-root', str(data)])
    for name in ('KITTI_ROOT', 'VOC_ROOT', 'COCO_ROOT', 'BCCD_ROOT', 'DATA_ROOT'):
        monkeypatch.setenv(name, str(data))
    monkeypatch.setattr(benchmark, 'run_all', lambda *_: pytest.fail('it began to train'))
    with pytest.raises(SystemExit) as error:
        benchmark.main()
    assert re.search(message, f'{error.value}{capsys.readouterr().err}')
    assert not list(tmp_path.iterdir())


def perfect(dataset):
    """The truths as detections."""
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    kept = [[each for each in info['instances'] if not each['ignore_flag']] for info in infos]
    return [
        dict(
            img_id=info['img_id'],
            pred_instances=dict(
                bboxes=np.array([each['bbox'] for each in objects], np.float32).reshape(-1, 4),
                scores=np.ones(len(objects), np.float32),
                labels=np.array([each['bbox_label'] for each in objects], int),
            ),
        )
        for info, objects in zip(infos, kept, strict=True)
    ]


def test_truths_as_detections_are_perfect_in_vocs_layout(benchmark, shared_dir, monkeypatch):
    monkeypatch.setenv('BCCD_ROOT', str(shared_dir / 'data/BCCD'))
    config = Config.fromfile(ROOT / 'configs/yolov2-tiny_bccd.py')
    dataset = DATASETS.build(dict(config.val_dataloader.dataset, pipeline=[]))
    evaluated = benchmark.evaluated_images(config, perfect(dataset))
    assert evaluated.num_images == 87
    values = evaluated.evaluate(np.arange(87))
    assert set(values) == {'voc/mAP', 'voc/RBC_AP', 'voc/WBC_AP', 'voc/Platelets_AP'}
    assert list(values.values()) == pytest.approx([1.0] * 4)


def test_truths_as_detections_are_perfect_in_cocos_layout(benchmark, tmp_path, monkeypatch):
    monkeypatch.setenv('DATA_ROOT', str(tmp_path))
    names = ('RBC', 'WBC', 'Platelets')
    content = dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=90, height=90) for i in (7, 3)],
        annotations=[
            dict(
                id=i + 1,
                image_id=image,
                category_id=i + 5,
                iscrowd=0,
                area=400,
                bbox=[9, 9, 20, 20],
            )
            for i, image in enumerate((7, 7, 3))
        ],
        categories=[dict(id=i + 5, name=name) for i, name in enumerate(names)],
    )
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations/val.json').write_text(json.dumps(content))
    config = Config.fromfile(ROOT / 'configs/yolov3-mobilenetv2_custom-coco.py')
    dataset = DATASETS.build(dict(config.val_dataloader.dataset, pipeline=[]))
    found = perfect(dataset)
    evaluated = benchmark.evaluated_images(config, found)
    assert evaluated.evaluate(np.arange(2))['coco/bbox_mAP'] == pytest.approx(1.0)
    for each in found:
        each['pred_instances'] = {k: v[:0] for k, v in each['pred_instances'].items()}
    nothing = benchmark.evaluated_images(config, found)
    assert nothing.evaluate(np.arange(2))['coco/bbox_mAP'] == 0


def test_variants_are_configs_sets_of_options_and_combinations(benchmark):
    texts = ['hard_ratio=0.5 element=cell', 'a lower rate: optim_wrapper.optimizer.lr=1e-3']
    arguments = ['x', TINY, MINED, '--variants', *texts, '--grid', 'num_hard=1,2']
    variants = benchmark.read_variants(benchmark.parse_args(arguments))
    key = 'model.bbox_head.lrm'
    assert [(each.label, each.options.get(key)) for each in variants] == [
        ('yolov2-tiny_kitti', None),
        ('yolov2-tiny_lrm_kitti', None),
        ('hard_ratio=0.5 element=cell', dict(type='LRMLoss', hard_ratio=0.5, element='cell')),
        ('a lower rate', None),
        ('num_hard=1', dict(type='LRMLoss', num_hard=1)),
        ('num_hard=2', dict(type='LRMLoss', num_hard=2)),
    ]
    assert variants[3].options == {'optim_wrapper.optimizer.lr': 0.001}
    assert {each.config for each in variants[2:]} == {TINY}


@pytest.mark.parametrize('overlay', sorted(REDUCED.glob('*.py')), ids=lambda file: file.stem)
def test_an_overlay_reduces_all_runs_alike(benchmark, overlay, monkeypatch):
    config = str(ROOT / f'configs/{overlay.stem.rsplit("_", 1)[0]}.py')
    args = benchmark.parse_args(
        ['x', config, '--variants', 'num_hard=1', '--overlay', str(overlay)]
    )
    settings = Config.fromfile(overlay)
    for variant in benchmark.read_variants(args):
        loaded = benchmark.load(variant, args, seed=0)
        assert loaded.train_cfg.max_epochs == settings.max_epochs == loaded.param_scheduler[1].end
        for loader in (loaded.train_dataloader, loaded.val_dataloader, loaded.test_dataloader):
            (resize,) = [step for step in loader.dataset.pipeline if step.type == 'Resize']
            assert resize.scale == settings.scale


@pytest.mark.parametrize('data', ['bccd', 'voc'])
def test_of_vocs_evaluators_the_first_reports_every_class(benchmark, data):
    config = Config.fromfile(ROOT / f'configs/yolov2-tiny_{data}.py')
    given = benchmark.evaluators(config)
    found = benchmark.recorded_evaluators(config)
    assert found[0] == dict(given[0]) | dict(type='VOCClassMetric', prefix='voc')
    assert found[1:] == given[1:]


@pytest.mark.slow
def test_a_comparison_that_is_interrupted_goes_on_to_its_table(data, tmp_path):
    command = [*TOOL, 'small', TINY, '--grid', 'hard_ratio=0.25', '--data-root', str(data)]
    command += ['--seeds', '2', '--bootstrap', '20', '--cfg-options', 'train_cfg.max_epochs=1']
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    while '2 of 4 runs' not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 1
    done = sorted(tmp_path.glob('work_dirs/benchmark/small/runs/*/done.json'))
    before = [file.stat().st_mtime for file in done]
    assert len(done) == 2
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert [file.stat().st_mtime for file in done] == before
    records = json.loads((tmp_path / 'results/small.json').read_text())
    found = [(each['label'], each['seed'], each['baseline']) for each in records]
    assert found == [
        ('yolov2-tiny_kitti', 0, None),
        ('hard_ratio=0.25', 0, 'yolov2-tiny_kitti'),
        ('yolov2-tiny_kitti', 1, None),
        ('hard_ratio=0.25', 1, 'yolov2-tiny_kitti'),
    ]
    for record in records:
        assert len(record['bootstrap']['kitti/moderate_AP40']) == 20
        assert record['minutes'] > 0 and record['memory_mb'] > 100
    weights = [each['initial_weights'] for each in records]
    assert weights[0] == weights[1] != weights[2] == weights[3]
    table = (tmp_path / 'work_dirs/benchmark/small/table.md').read_text()
    assert table in result.stdout and '| hard_ratio=0.25 | 2 |' in table
    assert 'keep the baseline' in result.stdout or 'Recommended' in result.stdout
    for name in ('differences', 'learning', 'precision'):
        assert (tmp_path / f'work_dirs/benchmark/small/{name}.png').stat().st_size > 5000
