"""Every command of the README and of the site is run, on drawn data and for an epoch at most."""

import contextlib
import multiprocessing
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_trials import CHECKPOINT, EPOCHS, HELD, IMAGE, MINED, TRIED, WIDE
from drawn_data import draw_sets
from page_blocks import DOCUMENTS, ROOT, blocks, commands

PROCESSES = multiprocessing.get_context('forkserver')
# Imported once, in the process that the others are forks of.
PROCESSES.set_forkserver_preload(['mmdet_lrm', 'mmdet.apis', 'mmdet_lrm.study.runs'])


@pytest.mark.parametrize('document', DOCUMENTS)
def test_every_command_is_tried_or_held_for_a_reason(document):
    found = {name for name in commands(document) if not name.startswith('export ')}
    tried, held = (set(table.get(document, {})) for table in (TRIED, HELD))
    assert (found - tried - held, (tried | held) - found, tried & held) == (set(), set(), set())


def test_lists_of_commands_are_of_documents_that_there_are():
    assert (set(TRIED) | set(HELD)) - set(DOCUMENTS) == set()


@pytest.mark.parametrize('document', DOCUMENTS)
def test_files_and_options_of_every_command_are_there(document):
    for name in commands(document):
        programs = re.findall(r'tools/\w+\.(?:py|sh)', name)
        configs = re.findall(r'configs/(?!studies/NAME)[\w./-]+\.py', name)
        assert [path for path in programs + configs if not (ROOT / path).is_file()] == [], name
        if programs:
            sources = [ROOT / programs[0], *(ROOT / 'mmdet_lrm/launch').glob('*.py')]
            text = ''.join(path.read_text() for path in sources)
            options = re.findall(r'(?<=[\s\[])--[\w-]+', name)
            assert [option for option in options if f"'{option}'" not in text] == [], name


@pytest.fixture(scope='module')
def workspace(tmp_path_factory):
    """A checkout, as far as users call it, with data, a trained detector and darknet's files."""
    folder = tmp_path_factory.mktemp('workspace')
    for name in ('configs', 'tools', 'mmdet_lrm', 'constraints.txt'):
        (folder / name).symlink_to(ROOT / name)
    draw_sets(folder / 'data')
    for name, place in (('bccd', 'BCCD'), ('voc', 'VOCdevkit')):
        (folder / 'data' / name).rename(folder / 'data' / place)
    for kind in ('image', 'label'):
        archive = folder / f'data_object_{kind}_2'
        shutil.make_archive(archive, 'zip', folder / 'data/kitti', f'training/{kind}_2')
    (folder / 'lists').mkdir()
    for split, frames in (('train', '000000\n000001\n'), ('val', '000002\n000003\n')):
        (folder / f'lists/{split}.txt').write_text(frames)
    work_dir = str(Path(CHECKPOINT).parent)
    train = ['tools/train.py', MINED, '--work-dir', work_dir, '--cfg-options', *EPOCHS, WIDE]
    start(train, folder, {})
    start(['tools/darknet.py', 'export', MINED, CHECKPOINT, '--out', 'yolov2-voc'], folder, {})
    return folder


@pytest.mark.slow
@pytest.mark.parametrize('document', TRIED)
def test_the_commands_of_a_document_run(document, workspace):
    variables = {}
    for name, words in commands(document).items():
        if words[0] == 'export':
            variables |= dict(word.split('=', 1) for word in words[1:])
        elif name in TRIED[document]:
            trial = TRIED[document][name]
            start(words_of(words, trial)[1:], workspace, variables | trial.variables)


@pytest.mark.slow
def test_an_imported_network_detects_as_its_page_has_it(workspace):
    (text,) = blocks('docs/darknet.md', 'python')
    (workspace / 'detect.py').write_text(text)
    for name in ('a.jpg', 'b.jpg'):
        shutil.copy(workspace / IMAGE, workspace / name)
    start(['tools/darknet.py', 'import', 'yolov2-voc.cfg', 'yolov2-voc.weights', '--out',
           'yolov2-voc', '--force'], workspace, {})  # fmt: skip
    start(['detect.py'], workspace, {})
    assert {path.name for path in (workspace / 'found/vis').iterdir()} == {'a.jpg', 'b.jpg'}


def words_of(words, trial):
    found = [new for word in words for new in shlex.split(trial.words.get(word, shlex.quote(word)))]
    if trial.settings and '--cfg-options' not in found:
        found.append('--cfg-options')
    if trial.settings:
        place = found.index('--cfg-options') + 1
        found[place:place] = trial.settings
    return found


def start(words, folder, variables):
    """Run a Python program of these words in a folder; fail with the end of what it says."""
    said = folder / 'said.txt'
    if words[0] == '-m':
        with said.open('w') as file:
            command, env = [sys.executable, *words], {**os.environ, **variables}
            ended = subprocess.run(command, cwd=folder, env=env, stdout=file, stderr=file)
        status = ended.returncode
    else:
        process = PROCESSES.Process(target=become, args=(words, folder, variables, said))
        process.start()
        process.join()
        status = process.exitcode
    assert status == 0, f'{shlex.join(words)}: {said.read_text()[-3000:]}'


def become(words, folder, variables, said):
    """Go on as the program, in a process that has torch and mmdet already."""
    os.chdir(folder)
    os.environ.update(variables)
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.argv = words
    sys.path.insert(0, str(folder / 'tools'))
    with contextlib.suppress(BrokenPipeError):
        runpy.run_path(words[0], run_name='__main__')
