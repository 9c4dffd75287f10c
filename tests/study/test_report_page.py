"""The page: it holds all that it shows, opens offline, and its numbers are those of the records."""

import json
import pickle
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from squares import FOUND, TRUTHS, image, judged

import mmdet_lrm
from mmdet_lrm.kitti.drawing import draw_kitti
from mmdet_lrm.study import names, plots, report_page, sections, sources, tables
from mmdet_lrm.study.detections import annotated
from mmdet_lrm.study.looking import curves_of_classes, look_at, shown, with_errors, worst, wrong
from mmdet_lrm.study.page import Picture, Pictures, Section, Table, Text, render

AP = 'kitti/moderate_AP40'


class Reader(HTMLParser):
    """Cells of tables, alternatives of pictures, and what a page refers to."""

    def __init__(self, page):
        super().__init__()
        self.cells, self.alts, self.targets, self.tags = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.targets += [attrs[name] for name in ('src', 'href') if name in attrs]
        self.alts += [attrs.get('alt')] * (tag == 'img')
        if tag == 'tr':
            self.cells.append([])
        if tag in ('td', 'th'):
            self.cells[-1].append('')

    def handle_data(self, data):
        if self.tags and self.tags[-1] in ('td', 'th'):
            self.cells[-1][-1] += data

    def handle_endtag(self, tag):
        self.tags.append(f'/{tag}')


def test_a_page_holds_its_pictures_and_says_what_is_to_be_seen():
    picture = Picture(b'\x89PNG...', 'a "curve" & <more>')
    parts = [
        Text('1 < 2', ['& so on']),
        Table('c', ['', 'a'], [['r', '1\n+2']]),
        Pictures([picture]),
    ]
    page = render('<Report>', [Section('One part', parts), Section('Empty', [])])
    found = Reader(page)
    assert found.alts == ['a "curve" & <more>'] and found.cells == [['', 'a'], ['r', '1\n+2']]
    assert found.targets == ['#one-part', 'data:image/png;base64,iVBORy4uLg==']
    assert '<h1>&lt;Report&gt;</h1>' in page and '1 &lt; 2' in page and 'Empty' not in page
    assert "default-src 'none'" in page


# --- of trainings ---------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    return draw_kitti(tmp_path_factory.mktemp('drawn'), 1, 3)


def work_folder(folder, root, lrm, shift, epochs=1, seed=0):
    """Of a finished run whose detections are the truths, each moved to the right."""
    config = Config.fromfile(mmdet_lrm.config('yolov2-tiny_kitti.py'))
    config.merge_from_dict(
        {
            'val_dataloader.dataset.data_root': str(root),
            'val_evaluator.label_dir': str(root / 'training/label_2'),
            'model.bbox_head.lrm': lrm,
            'randomness.seed': seed,
        }
    )
    logs = folder / '20260101_000000/vis_data'
    logs.mkdir(parents=True)
    config.dump(folder / 'config.py')
    rows = [json.dumps({AP: 40.0 + shift, 'step': epoch}) for epoch in range(1, epochs + 1)]
    (logs / 'scalars.json').write_text(''.join(f'{row}\n' for row in rows))
    infos, _ = annotated(config)
    found = []
    for name, info in infos.items():
        counts = [each for each in info['instances'] if not each['ignore_flag']]
        boxes = torch.tensor([each['bbox'] for each in counts]).reshape(-1, 4)
        boxes = boxes + torch.tensor([shift, 0.0, shift, 0.0])
        labels = torch.tensor([each['bbox_label'] for each in counts], dtype=torch.long)
        scores = torch.full((len(counts),), 0.9)
        found.append(
            dict(img_id=name, pred_instances=dict(bboxes=boxes, labels=labels, scores=scores))
        )
    (folder / 'detections.pkl').write_bytes(pickle.dumps(found))
    (folder / 'finished.json').write_text('{}')
    return folder


@pytest.fixture(scope='module')
def source(drawn, tmp_path_factory):
    """A baseline that finds all, and a variant whose boxes lie 1000 px to the right."""
    folder = tmp_path_factory.mktemp('runs')
    plain = work_folder(folder / 'plain', drawn, None, 0.0)
    mined = work_folder(folder / 'mined', drawn, dict(type='LRMLoss', hard_ratio=0.25), 1000.0)
    return sources.find([plain, mined], folder, folder)


@pytest.fixture(scope='module')
def written(source, tmp_path_factory):
    """The page's file, and what was printed."""
    file = tmp_path_factory.mktemp('page') / 'new/report.html'
    with DefaultScope.overwrite_default_scope('mmdet'):
        return file, report_page.write(source, file)


def test_the_numbers_of_the_page_are_those_of_the_records(source, written):
    file, printed = written
    found = Reader(file.read_text())
    titles, rows = tables.rows(source.records, {names.metric(AP): AP})
    assert rows[1][-1] == '+1000.0, one seed'
    assert titles in found.cells and rows[1] in found.cells
    records = with_errors(source, look_at(source))
    assert records[0].errors['count/found'] == 1 and records[1].errors['count/found'] == 0
    # Nothing is found, so there is no best score, and all is missed.
    assert ['missed', '0.0', '100.0\n+100.0, one seed'] in found.cells
    assert '| missed | 0.0 | 100.0, +100.0, one seed |' in printed
    assert ['objects found', '100.0', '0.0\n-100.0, one seed'] in found.cells
    assert all(found.alts) and len(found.alts) > 8
    # KITTI's protocol gives a point for each found object but the first, of 40.
    curve = r'Precision over recall of Car, hard; AP of plain [1-9]\d*\.[05], mined 0\.0'
    assert len([alt for alt in found.alts if re.fullmatch(curve, alt)]) == 1


def test_the_page_refers_to_nothing_outside_of_it(written):
    page = written[0].read_text()
    anchors = set(re.findall(r' id="([^"]+)"', page))
    for target in Reader(page).targets:
        assert target.startswith('data:image/') or target[1:] in anchors
    assert not re.search(r'<script|<link|@import|url\(', page)


@pytest.mark.slow
def test_a_browser_without_a_network_shows_the_page(written):
    browser = shutil.which('chromium') or shutil.which('chromium-browser')
    if browser is None:
        pytest.skip('needs chromium, to open the page')
    command = [browser, '--headless', '--no-sandbox', '--disable-gpu', '--dump-dom']
    command += ['--host-resolver-rules=MAP * ~NOTFOUND', '--enable-logging=stderr']
    done = subprocess.run([*command, written[0].as_uri()], capture_output=True, text=True)
    assert '<h2 id="h-worst-images">Worst images</h2>' in done.stdout
    assert 'Content Security Policy' not in done.stderr  # it would name what it refused


def test_what_is_shown_is_of_a_seed_that_all_have_and_the_worst_come_first(source):
    looks = look_at(source)
    plain, mined = shown(source, looks)
    assert [each.record.label for each in (plain, mined)] == ['plain', 'mined']
    found = [wrong(plain), wrong(mined)]
    assert worst(found[:1], 2) == []
    # Each object is missed once.
    numbers = {each.path: len(each.boxes) for each in mined.images}
    assert [numbers[path] for path in worst(found, 3)] == sorted(numbers.values(), reverse=True)
    assert worst(found, 2) == worst(found, 3)[:2]


def test_the_page_of_unequal_trainings_says_so_first_and_compares_nothing(drawn, tmp_path):
    lrm = dict(type='LRMLoss', hard_ratio=0.25)
    folders = [
        work_folder(tmp_path / 'plain', drawn, None, 0.0, epochs=3),
        work_folder(tmp_path / 'mined', drawn, lrm, -37.5, epochs=1),
        work_folder(tmp_path / 'again', drawn, lrm, -30.0, epochs=2, seed=1),
    ]
    source = sources.find(folders, tmp_path, tmp_path)
    printed = report_page.write(source, tmp_path / 'r.html')
    page = (tmp_path / 'r.html').read_text()
    first = (
        'No comparison, since these trainings stand at different epochs: plain, epoch 3; '
        'mined, seed 0, epoch 1; mined, seed 1, epoch 2. '
    )
    assert re.search(r'<p>([^<]*)', page)[1].startswith(first) and printed.startswith(first)
    told = f'{page}{printed}'.casefold()
    for word in ('best of', 'recommend', 'baseline', 'difference', '-37', 'seed 0 alone'):
        assert word not in told.replace('no differences are shown', ''), word
    cells = Reader(page).cells
    labels = ['plain, epoch 3', 'mined, seed 0, epoch 1', 'mined, seed 1, epoch 2']
    rows = zip(labels, ('40.0', '2.5', '10.0'), strict=True)
    assert all([label, '1', value] in cells for label, value in rows)
    assert ['', *labels] in cells
    # What was changed is told once, though two have it.
    assert page.count('mined, seed 0, epoch 1: what differs from plain, epoch 3') == 1
    assert 'mined, seed 1, epoch 2: what' not in page


def test_different_lengths_that_a_study_planned_are_told_and_compared(study_of, tmp_path):
    records = study_of('voc/mAP', {'base': [0.1, 0.2], 'longer': [0.2, 0.3]}, epochs=32)
    records = [replace(each, epochs=48) if each.baseline else each for each in records]
    source = sources.Source('s', records, {}, 'voc/mAP', tmp_path)
    (text,) = sections.in_words(source, [])
    assert text.listed[0].startswith('2 methods, 2 seeds each, trained for 32 or 48 epochs, judged')
    assert any(line.startswith('Best of 1') for line in text.listed)


# --- parts ----------------------------------------------------------------------------------------


def test_curves_have_the_recall_and_precision_of_each_class():
    truths = [(0, (0, 0, 9, 9)), (0, (50, 0, 59, 9)), (1, (90, 0, 99, 9))]
    found = [(0, 0.9, (0, 0, 9, 9)), (0, 0.8, (20, 0, 29, 9)), (0, 0.7, (50, 0, 59, 9))]
    of = curves_of_classes(judged(image(truths, found)), ['a', 'b'])
    assert of['a'].recall.tolist() == [0, 50, 50, 100]
    assert of['a'].precision == pytest.approx([100, 100, 200 / 3, 200 / 3])
    assert of['a'].ap == pytest.approx(250 / 3)
    assert (of['b'].ap, of['b'].recall.tolist()) == (0, [])


def test_a_study_without_folders_has_tables_and_a_word_on_what_is_missing(study_of, tmp_path):
    records = study_of('voc/mAP', {'base': [0.1, 0.2, 0.3], 'hard_ratio=0.25': [0.2, 0.3, 0.4]})
    source = sources.Source('s', records, {}, 'voc/mAP', tmp_path)
    assert report_page.write(source, tmp_path / 'r.html') == ''
    page = (tmp_path / 'r.html').read_text()
    assert 'No work folder is left' in page and 'Worst images' not in page
    best = 'Best of 1 in mAP: “K\u00a025\u00a0%”, +10.0 [+10.0, +10.0]. Recommended.'
    assert best in page
    titles = [each.title for each in sections.sections(source, {}) if each.parts]
    assert titles == ['Summary', 'Results', 'Versions']


def test_a_table_of_methods_has_values_and_differences(study_of):
    records = study_of('voc/mAP', {'base': [0.1, 0.3], 'mined': [0.2, 0.4]})
    titles, rows = sections.compared(records, {'mean': 'voc/mAP'})
    assert titles == ['', 'base', 'mined']
    assert rows == [['mean', '20.0 ± 14.1', '30.0 ± 14.1\n+10.0 [+10.0, +10.0]']]


def test_errors_that_cost_nothing_or_are_not_defined_are_not_told(study_of):
    gains = {'localisation': 0.12, 'duplicate': 0.0004, 'missed': None, 'background': 0.3}
    errors = {f'gain/{kind}': value for kind, value in gains.items()}
    records = [replace(each, errors=errors) for each in study_of('voc/mAP', {'base': [0.1]})]
    (told,) = sections.costly(records)
    assert told.endswith('without its errors of background (30.0) and localisation (12.0).')
    errors = {f'gain/{kind}': value for kind, value in gains.items() if not value or value < 0.1}
    assert list(sections.costly([replace(records[0], errors=errors)])) == []


def test_names_of_errors_are_those_that_are_counted():
    found = judged(image(TRUTHS, FOUND))
    assert set(np.unique(found.kinds)) - {'found'} | {'missed', 'between'} == set(plots.OF_ERROR)
