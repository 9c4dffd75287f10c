"""Packaging of mmdet_lrm; everything that MIM looks for goes to `mmdet_lrm/.mim` in the wheel."""

import os
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_FILES = ('configs', 'tools', 'model-index.yml')
# Only developers of this package need tools/dev, in a checkout or the source distribution.
OMITTED = shutil.ignore_patterns('__pycache__', 'dev')


class BuildWithMim(build_py):
    """Also puts configs, tools and the model index where MIM and a user of the wheel find them.

    A wheel holds copies. An editable install holds links into the checkout, ignored by git, so that
    an edited config is the one that runs.
    """

    def run(self) -> None:
        super().run()
        base = ROOT if self.editable_mode else Path(self.build_lib)
        mim = base / 'mmdet_lrm' / '.mim'
        # A build folder left from an earlier build may hold a config that was since removed.
        shutil.rmtree(mim, ignore_errors=True)
        mim.mkdir(parents=True)
        for name in MIM_FILES:
            source, target = ROOT / name, mim / name
            if self.editable_mode:
                target.symlink_to(os.path.relpath(source, mim))
            elif source.is_dir():
                shutil.copytree(source, target, ignore=OMITTED)
            else:
                shutil.copy2(source, target)


version = re.search(r"__version__ = '(.+)'", (ROOT / 'mmdet_lrm/version.py').read_text())[1]
# What writes and runs exported files; a device needs numpy, OpenCV and onnxruntime alone.
deploy = ['onnx', 'onnxruntime', 'onnxscript']
# What runs the notebook of the documents: a kernel, and a client without a server or a browser.
notebook = ['ipykernel', 'nbclient']
# With `deploy`: an exported file that nothing checks is worse than none. With xdist: one process
# takes more than half an hour for all tests, as many as there are cores share them.
tests = ['hypothesis', 'pytest', 'pytest-xdist', *deploy, *notebook]
# The site of the documents: its equations are MathML, which needs no script of another server.
docs = ['latex2mathml', 'mkdocs-material', 'mkdocstrings[python]']

setup(
    name='mmdet_lrm',
    version=version,
    description='Loss Rank Mining for the YOLO and SSD heads of MMDetection',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    license_files=['LICENSE', 'NOTICE'],
    python_requires='>=3.10',
    packages=find_packages(include=['mmdet_lrm', 'mmdet_lrm.*']),
    # An editable install is then a path, which Python reads before it takes a clone named like the
    # package, in the folder where it was started, for an empty package of that name.
    package_dir={'': '.'},
    # Two distributions provide mmdet, mmcv and mmengine under one import name. Either extra brings
    # them; neither may come by itself, or it would overwrite the other.
    install_requires=['jinja2', 'numpy', 'torch>=2.4'],
    extras_require={
        'onedl': [
            'onedl-mmcv>=2.3.6',
            'onedl-mmdetection>=3.5.1',
            'onedl-mmengine>=0.10.12',
            # imaug, a requirement of onedl-mmdetection, and mmcv bring one OpenCV each, and both
            # unpack into cv2/: they must at least be of one release.
            'opencv-python-headless',
        ],
        'upstream': ['mmdet==3.3.0', 'mmcv>=2.0.0rc4,<2.2', 'mmengine>=0.10.7', 'setuptools<81'],
        'deploy': deploy,
        'notebook': notebook,
        # Rotated detectors, which LRMElementLoss mines in. torchvision must be that of the torch.
        'rotate': ['faster-coco-eval', 'onedl-mmrotate==1.2.1', 'torchvision'],
        # What benchmarks/performance.py measures by; lightnet needs a torchvision that fits torch.
        'benchmark': [*deploy, 'lightnet'],
        # Where MMEngine's TensorboardVisBackend writes to.
        'watch': ['tensorboard'],
        'tests': tests,
        'docs': docs,
        'dev': [*tests, *docs, 'pre-commit', 'ruff', 'tensorboard'],
    },
    classifiers=[
        'Development Status :: 4 - Beta',
        'Operating System :: POSIX',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
