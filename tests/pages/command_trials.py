"""How each command of the documents is tried on drawn data, or why it is not.

``TRIED`` has what to put in the place of words of the command, and what to add to its settings;
``HELD`` has reasons. A command that stands in neither fails a test, and so does a line here that
stands in no document.
"""

from dataclasses import dataclass, field

SMALL = ['train_dataloader.batch_size=2', 'model.backbone.init_cfg=None']
SMALL += [
    f'{split}_dataloader.{setting}'
    for split in ('train', 'val', 'test')
    for setting in ('num_workers=0', 'persistent_workers=False')
]
# Darknet draws another size of the input every ten batches.
ONE_SIZE = ['model.data_preprocessor.batch_augments=None']
EPOCH = [*SMALL, *ONE_SIZE, 'max_epochs=1', 'train_cfg.val_interval=1']
# The tiny detector's cosine begins after the first.
EPOCHS = [*EPOCH, 'max_epochs=2']
WIDE, SQUARE = 'img_scale=(160,64)', 'img_scale=(96,96)'
TINY, MINED = 'configs/yolov2-tiny_kitti.py', 'configs/yolov2-tiny_lrm_kitti.py'
IMAGE = 'data/kitti/training/image_2/000001.png'
LAST = 'work_dirs/yolov2_lrm_kitti/epoch_160.pth'
CHECKPOINT = 'work_dirs/trained/epoch_2.pth'


@dataclass(frozen=True)
class Trial:
    words: dict[str, str] = field(default_factory=dict)
    """In the place of each of these words, none to many."""
    settings: list[str] = field(default_factory=list)
    """For ``--cfg-options``."""
    variables: dict[str, str] = field(default_factory=dict)


TRIED = {
    'README.md': {
        'python tools/diagnose.py configs/yolov2-tiny_kitti.py': Trial(
            settings=[*SMALL, WIDE],
        ),
        'python tools/benchmark.py ratio configs/yolov2-tiny_kitti.py --grid '
        'hard_ratio=0.05,0.1,0.25,0.5 --data-root data/kitti --seeds 5': Trial(
            {'hard_ratio=0.05,0.1,0.25,0.5': 'hard_ratio=0.25', '5': '1'},
            [*SMALL, 'epochs=2', 'input_size=160,64'],
        ),
        'python tools/prepare_kitti.py data/kitti --images data_object_image_2.zip --labels '
        'data_object_label_2.zip --split-dir folder/with/the/usual/train.txt/and/val.txt': Trial(
            {'data/kitti': 'data/by_lists', 'folder/with/the/usual/train.txt/and/val.txt': 'lists'}
        ),
        'python tools/train.py configs/yolov2_lrm_kitti.py': Trial(settings=[*EPOCH, WIDE]),
        f'python tools/test.py configs/yolov2_lrm_kitti.py {LAST}': Trial(
            {LAST: LAST.replace('160', '1')}, [*SMALL, WIDE]
        ),
        'python tools/train.py configs/yolov3-mobilenetv2_lrm_custom-voc.py': Trial(
            settings=[*EPOCH, SQUARE]
        ),
    },
    'docs/benchmark.md': {
        'python tools/benchmark.py NAME BASELINE.py --variants hard_ratio=0.25 element=cell '
        '64: num_hard=64 --data-root DATA': Trial(
            {
                'BASELINE.py': TINY,
                'DATA': 'data/kitti --seeds 1',
                'hard_ratio=0.25 element=cell': '',
            },
            [*SMALL, 'epochs=2', 'input_size=160,64'],
        ),
    },
    'docs/darknet.md': {
        'python tools/darknet.py import yolov2-voc.cfg yolov2-voc.weights '
        '--out yolov2-voc': Trial(),
        'python tools/darknet.py export yolov2-voc.py yolov2-voc.pth --out again': Trial(),
        'python tools/darknet.py import darknet19.cfg darknet19_448.conv.23 --backbone '
        '--out darknet19': Trial(
            {'darknet19.cfg': 'yolov2-voc.cfg', 'darknet19_448.conv.23': 'yolov2-voc.weights'}
        ),
    },
    'docs/export.md': {
        'python tools/export_onnx.py CONFIG CHECKPOINT --out model.onnx [--nms] [--opset 18] '
        '[--images IMAGE...]': Trial(
            {
                'CONFIG': 'yolov2-voc.py',
                'CHECKPOINT': 'yolov2-voc.pth',
                '[--nms]': '--nms',
                '[--opset': '--opset',
                '18]': '18',
                '[--images': '--images',
                'IMAGE...]': IMAGE,
            }
        ),
        'python tools/run_onnx.py model.onnx IMAGE... --out DIR': Trial(
            {'IMAGE...': IMAGE, 'DIR': 'by_onnx'}
        ),
        'python tools/benchmark_fps.py CONFIG [CHECKPOINT] [--onnx model.onnx] '
        '[--images IMAGE...]': Trial(
            {
                'CONFIG': 'yolov2-voc.py',
                '[CHECKPOINT]': 'yolov2-voc.pth',
                '[--onnx': '--onnx',
                'model.onnx]': 'model.onnx',
                '[--images': '--images',
                'IMAGE...]': f'{IMAGE} --batch 1 --repeats 1',
            },
            # The compiled form, which takes minutes to compile, is left out without a compiler.
            variables={'CXX': 'none'},
        ),
    },
    'docs/reading-the-report.md': {
        'python tools/report.py work_dirs/yolov2-tiny_kitti': Trial(
            {'work_dirs/yolov2-tiny_kitti': 'work_dirs/trained'}
        ),
    },
    'docs/see-the-mining.md': {
        'python tools/show_mining.py CONFIG CHECKPOINT.pth IMAGE...': Trial(
            {'CONFIG': MINED, 'CHECKPOINT.pth': CHECKPOINT, 'IMAGE...': IMAGE}
        ),
        'python tools/train.py configs/yolov2_lrm_kitti.py --cfg-options '
        "custom_hooks=[dict(type='MiningVisualizationHook')] vis_backends=[dict(type="
        "'LocalVisBackend'), dict(type='TensorboardVisBackend')]": Trial(
            {'configs/yolov2_lrm_kitti.py': MINED}, [*EPOCHS, WIDE]
        ),
    },
    'docs/start.md': {
        'python -m mmdet_lrm': Trial(),
        'python -m mmdet_lrm doctor': Trial(),
        'python tools/demo.py --num-train 40 --num-val 10 --epochs 2 --seeds 1': Trial(
            {'40': '4', '10': '2', '2': '1'}
        ),
        'python tools/show_mining.py configs/yolov2-tiny_lrm_kitti.py '
        'work_dirs/demo/drawn/training/image_2/000001.jpg': Trial(),
    },
    'docs/switch-on.md': {
        'python -m mmdet_lrm train mmdet_lrm::yolov2-tiny_lrm_kitti.py --cfg-options '
        'model.bbox_head.lrm.hard_ratio=0.1': Trial(settings=[*EPOCHS, WIDE]),
    },
    'docs/train.md': {
        'python tools/prepare_kitti.py data/kitti --images data_object_image_2.zip --labels '
        'data_object_label_2.zip --split random': Trial({'data/kitti': 'data/by_chance'}),
        'python tools/browse_dataset.py configs/yolov2-tiny_lrm_kitti.py': Trial(),
        'python tools/train.py configs/yolov2-tiny_lrm_voc.py': Trial(settings=[*EPOCH, SQUARE]),
        'python tools/train.py configs/yolov3-mobilenetv2_lrm_coco.py': Trial(
            settings=[*EPOCH, SQUARE]
        ),
        'python tools/train.py configs/yolov3-mobilenetv2_custom-voc.py --cfg-options '
        "classes=('RBC','WBC','Platelets') max_epochs=30": Trial(
            {'max_epochs=30': ''}, [*EPOCH, SQUARE]
        ),
        'python tools/train.py configs/yolov3-mobilenetv2_lrm_custom-coco.py': Trial(
            settings=[*EPOCH, SQUARE]
        ),
        'python tools/anchors.py configs/yolov3-mobilenetv2_custom-voc.py': Trial(
            {'configs/yolov3-mobilenetv2_custom-voc.py': f'{TINY} --num 1'}
        ),
        'python tools/test.py configs/yolov2-tiny_lrm_kitti.py '
        'work_dirs/yolov2-tiny_lrm_kitti/epoch_15.pth --show-dir found': Trial(
            {'work_dirs/yolov2-tiny_lrm_kitti/epoch_15.pth': CHECKPOINT}, [*SMALL, WIDE]
        ),
    },
}

SETS_UP = 'sets up an environment; tests/tools/test_setup_env.py tries its steps'
LIKE_ANOTHER = 'a command of another line with another config, which tests/test_configs.py builds'
STUDY = 'trains a whole study; tests/study/test_studies.py plans each, test_benchmark_cli.py runs'
MEASURES = 'takes minutes; tests/benchmarks/test_benchmark_programs.py runs parts of it'
CHECKS = 'tests/study/test_kit.py checks a study'
DOWNLOAD = 'a download'
REPORTS = 'tests/study/test_report_page.py has reports of several trainings'
PAPER = 'python tools/benchmark.py configs/studies/paper-kitti-416.py'
HELD = {
    'README.md': {
        'make demo': 'takes six minutes; docs/start.md has it with fewer images',
        'make test': 'these are the tests',
        'source .venv/bin/activate': SETS_UP,
        'python tools/train.py configs/yolov2_kitti.py': LIKE_ANOTHER,
        'python tools/train.py configs/yolov3-mobilenetv2_custom-voc.py': LIKE_ANOTHER,
    },
    'docs/benchmark.md': {
        'python tools/benchmark.py NAME BASELINE.py VARIANT.py ... --data-root DATA --seeds 5': (
            'tests/study/test_benchmark_cli.py compares two configs'
        ),
        'python tools/benchmark.py NAME BASELINE.py --grid hard_ratio=0.1,0.25 '
        'keep_positives=False,True --data-root DATA': 'README.md has a grid, which is tried',
        'python tools/benchmark.py configs/studies/NAME.py': STUDY,
        'python tools/benchmark.py configs/studies/NAME.py --seeds 12': STUDY,
        'python tools/benchmark.py configs/studies/NAME.py --part 2/8': STUDY,
        'python tools/benchmark.py configs/studies/NAME.py --merge results/NAME.part*.json': (
            'tests/study/test_benchmark_cli.py merges parts'
        ),
        'python tools/benchmark.py configs/studies/NAME.py --check': CHECKS,
        'python tools/diagnose.py CONFIG': 'README.md has it, which is tried',
    },
    'docs/export.md': {'pip install -c constraints.txt -e .[onedl,deploy]': SETS_UP},
    'docs/other-detectors.md': {'pip install -c constraints.txt .[onedl,rotate]': SETS_UP},
    'docs/performance.md': {
        'pip install -c constraints.txt -e .[onedl,benchmark]': SETS_UP,
        'python benchmarks/performance.py --quick': MEASURES,
        'python benchmarks/performance.py --darknet NET.cfg NET.weights --images IMAGE... --json '
        'results/performance.json': MEASURES,
        'python tools/benchmark.py --render': 'tests/study/test_documents.py renders',
    },
    'docs/reading-the-report.md': {
        'python tools/report.py work_dirs/yolov2-tiny_kitti work_dirs/yolov2-tiny_lrm_kitti': (
            REPORTS
        ),
        'python tools/report.py work_dirs/benchmark/NAME': REPORTS,
    },
    'docs/reproduce.md': {
        'git clone URL_OF_THIS_REPOSITORY mmdet_lrm && cd mmdet_lrm': DOWNLOAD,
        'make venv && source .venv/bin/activate': SETS_UP,
        'python -m mmdet_lrm doctor': 'docs/start.md has it, which is tried',
        'mkdir -p data': 'part of the downloads below it',
        'wget https://pjreddie.com/media/files/darknet19_448.conv.23': DOWNLOAD,
        'wget https://raw.githubusercontent.com/pjreddie/darknet/master/cfg/'
        'darknet19_448.cfg': DOWNLOAD,
        'python tools/darknet.py import darknet19_448.cfg darknet19_448.conv.23 --backbone --out '
        'data/darknet19_448': 'needs the download; docs/darknet.md has it, which is tried',
        'python tools/prepare_kitti.py data/kitti --images data_object_image_2.zip --labels '
        'data_object_label_2.zip --split-dir FOLDER_OF_THE_LISTS': 'README.md has it',
        f'{PAPER} --check': CHECKS,
        f'{PAPER} --jobs 2': STUDY,
        f'CUDA_VISIBLE_DEVICES=0 {PAPER} --part 1/5': STUDY,
        f'CUDA_VISIBLE_DEVICES=1 {PAPER} --part 2/5': STUDY,
        f'{PAPER} --merge results/paper-kitti-416.part*of5.json': STUDY,
        f'{PAPER} --seeds 1 --last 1 --work-dir /tmp/trial --results /tmp/trial --cfg-options '
        'epochs=1 input_size=96,96 model.data_preprocessor.batch_augments=None': (
            'needs the download; tests/study/test_kit.py does it on drawn images'
        ),
        'python tools/benchmark.py --render': 'tests/study/test_documents.py renders',
    },
    'docs/results.md': {
        'python tools/benchmark.py configs/studies/bccd_dense.py --data-root data/BCCD '
        '--jobs 2': STUDY
    },
    'docs/see-the-mining.md': {
        'python tools/show_mining.py CONFIG IMAGE...': 'docs/start.md has it, which is tried',
        'tensorboard --logdir work_dirs': 'a server, which does not end',
    },
    'docs/start.md': {
        'make venv': SETS_UP,
        'source .venv/bin/activate': SETS_UP,
        'CFLAGS=-g0 pip install --no-build-isolation onedl-mmcv': SETS_UP,
        'pip install -c constraints.txt .[onedl]': SETS_UP,
        'python tools/diagnose.py configs/yolov2-tiny_kitti.py': 'README.md has it',
        'python tools/train.py configs/yolov2-tiny_lrm_kitti.py --cfg-options max_epochs=2': (
            'docs/switch-on.md has it by another name, which is tried'
        ),
    },
    'docs/switch-on.md': {
        'python tools/benchmark.py NAME BASELINE.py MINED.py --seeds 5': (
            'tests/study/test_benchmark_cli.py compares two configs'
        ),
    },
    'docs/train.md': {
        'python tools/train.py configs/yolov2-tiny_lrm_kitti.py': LIKE_ANOTHER,
        'python tools/train.py configs/yolov3-mobilenetv2_lrm_custom-voc.py': 'README.md has it',
    },
}
