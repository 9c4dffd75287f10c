import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

import mmdet_lrm

ROOT = Path(__file__).parents[1]


def test_the_package_and_the_citation_have_one_version():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert mmdet_lrm.__version__ == citation['version']
    assert f'## {mmdet_lrm.__version__}' in (ROOT / 'CHANGELOG.md').read_text()


def test_the_model_index_names_every_config_and_no_other():
    imports = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
    models = [
        model for file in imports for model in yaml.safe_load((ROOT / file).read_text())['Models']
    ]
    assert sorted(model['Config'] for model in models) == sorted(
        f'configs/{path.name}' for path in (ROOT / 'configs').glob('*.py')
    )
    assert all(model['Name'] == Path(model['Config']).stem for model in models)


def test_every_model_is_in_a_collection_of_the_metafile():
    metafile = yaml.safe_load((ROOT / 'configs/metafile.yml').read_text())
    names = {collection['Name'] for collection in metafile['Collections']}
    assert {model['In Collection'] for model in metafile['Models']} == names


def test_a_model_is_in_a_collection_of_mining_if_its_name_says_so():
    metafile = yaml.safe_load((ROOT / 'configs/metafile.yml').read_text())
    for model in metafile['Models']:
        mines = model['In Collection'].startswith('Loss Rank Mining')
        of_objectness = model['In Collection'].endswith('objectness')
        assert (mines, of_objectness) == ('_lrm' in model['Name'], 'objectness' in model['Name'])


def test_the_constraints_pin_exact_versions():
    lines = (ROOT / 'constraints.txt').read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith('#')]
    unpinned = [pin for pin in pins if not re.match(r'[a-z0-9-]+==[0-9][^*,]*$', pin)]
    assert unpinned == []


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """A copy of what is built, since a build leaves files beside setup.py."""
    source = tmp_path_factory.mktemp('source')
    for folder in ('configs', 'mmdet_lrm', 'tools'):
        ignore = shutil.ignore_patterns('.mim', '__pycache__')
        shutil.copytree(ROOT / folder, source / folder, ignore=ignore)
    for name in ('LICENSE', 'MANIFEST.in', 'NOTICE', 'README.md', 'model-index.yml', 'setup.py'):
        shutil.copy(ROOT / name, source)
    shutil.copy(ROOT / 'pyproject.toml', source)
    return source


@pytest.fixture(scope='module')
def site(source, tmp_path_factory):
    """A folder with nothing but this package, installed from its wheel."""
    wheels, target = (tmp_path_factory.mktemp(name) for name in ('wheels', 'site'))
    pip = [sys.executable, '-m', 'pip', '--disable-pip-version-check']
    build = ['wheel', '-q', '--no-deps', '--no-build-isolation', '-w', wheels, source]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = wheels.glob('mmdet_lrm-*.whl')
    outside = re.compile(r'tests/|.*/tools/dev/')
    assert not list(filter(outside.match, zipfile.ZipFile(wheel).namelist()))
    install = ['install', '-q', '--no-deps', '--no-index', '--target', target, wheel]
    subprocess.run([*pip, *install], check=True)
    return target


def files(folder):
    """Text of every file below a folder that git would keep, by its path."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }


@pytest.mark.slow
def test_a_wheel_holds_configs_tools_and_model_index(site):
    mim = site / 'mmdet_lrm' / '.mim'
    assert files(mim / 'configs') == files(ROOT / 'configs')
    tools = files(ROOT / 'tools').items()
    assert files(mim / 'tools') == {
        name: text for name, text in tools if not name.startswith('dev/')
    }
    assert (mim / 'model-index.yml').read_text() == (ROOT / 'model-index.yml').read_text()


@pytest.mark.slow
def test_a_wheel_holds_the_licence_and_the_notices(site):
    for name in ('LICENSE', 'NOTICE'):
        (held,) = site.glob(f'mmdet_lrm-*.dist-info/**/{name}')
        assert held.read_text() == (ROOT / name).read_text()


@pytest.mark.slow
@pytest.mark.parametrize('start', [['-m', 'mmdet_lrm', 'train'], ['mmdet_lrm/.mim/tools/train.py']])
def test_a_wheel_trains_from_another_folder_as_far_as_its_data(site, tmp_path, start):
    *options, name = start
    program = [sys.executable, *options, name if options else site / name]
    program.append('mmdet_lrm::yolov2_lrm_kitti.py')
    env = {**os.environ, 'PYTHONPATH': str(site), 'KITTI_ROOT': str(tmp_path / 'nowhere')}
    ended = subprocess.run(program, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert f"needs '{tmp_path / 'nowhere'}', which does not exist" in ended.stderr
    assert ended.returncode == 1


@pytest.mark.slow
def test_the_configs_of_a_wheel_equal_those_of_the_checkout(site):
    for path in (ROOT / 'configs').glob('*.py'):
        installed = Config.fromfile(site / 'mmdet_lrm/.mim/configs' / path.name)
        assert installed.to_dict() == Config.fromfile(path).to_dict()


@pytest.mark.slow
def test_a_config_inherits_from_a_wheel_in_a_program_that_knows_nothing_of_it(site, tmp_path):
    (tmp_path / 'mine.py').write_text(
        "_base_ = __import__('mmdet_lrm').config('yolov2_lrm_kitti')\n"
        'model = dict(bbox_head=dict(lrm=dict(hard_ratio=0.5)))\n'
    )
    code = (
        "from mmengine import Config; lrm = Config.fromfile('mine.py').model.bbox_head.lrm; "
        'import mmdet_lrm; print(mmdet_lrm.__file__, lrm)'
    )
    env = {**os.environ, 'PYTHONPATH': str(site)}
    ended = subprocess.run(
        [sys.executable, '-c', code], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    expected = f"{site}/mmdet_lrm/__init__.py {{'type': 'LRMLoss', 'hard_ratio': 0.5}}\n"
    assert ended.stdout.endswith(expected), ended.stderr


@pytest.mark.slow
def test_an_editable_install_is_found_from_the_folder_that_holds_the_clone(source, tmp_path):
    clone = tmp_path / 'mmdet_lrm'
    shutil.copytree(source, clone)
    venv.create(tmp_path / 'venv', system_site_packages=False)
    python = tmp_path / 'venv/bin/python'
    (packages,) = (tmp_path / 'venv/lib').glob('*/site-packages')
    (packages / 'of_this_python.pth').write_text(sysconfig.get_path('purelib'))
    install = ['install', '-q', '--no-deps', '--no-build-isolation', '--editable', clone]
    subprocess.run([python, '-m', 'pip', '--disable-pip-version-check', *install], check=True)
    env = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    code = "import os; os.environ['MMDET_LRM_UNREGISTERED'] = str(os.getpid()); import mmdet_lrm; "
    command = [python, '-c', code + 'print(mmdet_lrm.__file__)']
    ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert ended.stdout == f'{clone}/mmdet_lrm/__init__.py\n', ended.stderr
