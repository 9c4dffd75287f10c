"""Documents with their tables and plots made anew, in a small project."""

from dataclasses import replace

import pytest

from mmdet_lrm.study import documents, summary, tables
from mmdet_lrm.study.records import write_records

AP = 'kitti/moderate_AP40'
TABLE = '<!-- table of results/r.json: AP = kitti/moderate_AP40 -->\n{}<!-- end of table -->'
SUMMARY = '<!-- summary of results -->\n{}<!-- end of summary -->'


@pytest.fixture
def records(study_of):
    return study_of(AP, {'yolov2-tiny_kitti': [10.0, 20.0], 'mined': [11.0, 23.0]})


@pytest.fixture
def project(tmp_path, records):
    write_records(records, tmp_path / 'results/r.json')
    (tmp_path / 'results/heads.json').write_text('no study')
    for folder in ('configs/studies', 'docs'):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def test_a_document_gets_its_table_anew_with_links_from_its_place(project, records):
    text = f'before\n{TABLE}\nafter'
    for place, configs in (('README.md', 'configs/'), ('docs/why.md', '../configs/')):
        made = documents.rendered(text.format('old\n'), project / place, project)
        assert made == text.format(tables.markdown(records, {'AP': AP}, configs))
        assert f']({configs}yolov2-tiny_kitti.py)' in made
        assert documents.rendered(made, project / place, project) == made


def test_the_summary_is_of_all_studies_by_what_their_files_say(project, records):
    more = [replace(each, metrics=each.metrics | {'voc/x': 0.5}) for each in records]
    write_records(more, project / 'results/s.json')
    (project / 'configs/studies/s.py').write_text("metric = 'voc/x'\n")
    text = f'{SUMMARY}\nbetween\n{TABLE}'
    made = documents.rendered(text.format('', ''), project / 'README.md', project)
    found = summary.gains('r', records) + summary.gains('s', more, 'voc/x')
    table = tables.markdown(records, {'AP': AP}, 'configs/')
    assert made == text.format(summary.markdown(found), table)


def test_a_study_of_which_some_parts_are_recorded_stands_in_the_summary(project, records):
    (project / 'results/parts').mkdir()
    (project / 'results/r.json').rename(project / 'results/parts/r.part1of2.json')
    assert documents.all_gains(project) == summary.gains('r', records)


def test_what_a_study_of_many_variants_tells_stands_in_its_file(project, study_of):
    of = {'a': [1.0], 'b': [2.0], 'c': [3.0], 'd': [4.0], 'e': [5.0], 'f': [9.0]}
    write_records(study_of(AP, of), project / 'results/r.json')
    (project / 'configs/studies/r.py').write_text("main = ['c']\n")
    assert [gain.variant for gain in documents.all_gains(project)] == ['c', 'f']


def test_a_plot_is_of_the_metric_that_decides_in_the_study(project, records):
    more = [replace(each, metrics=each.metrics | {'voc/x_AP': 0.5}) for each in records]
    write_records(more, project / 'results/r.json')
    (project / 'configs/studies/r.py').write_text("metric = 'voc/x_AP'\n")
    (axes,) = documents.draw('r', 'differences', project / 'README.md', project).axes
    assert axes.get_xlabel().startswith('x\xa0AP: ')


def test_rendering_writes_changed_documents_and_the_plots_that_they_show(project):
    (project / 'README.md').write_text('![all](docs/plots/summary.png)\n' + TABLE.format('old\n'))
    why = '![one](plots/r-differences.png) ![other](plots/idea.png)'
    (project / 'docs/why.md').write_text(why)
    found = [str(path.relative_to(project)) for path in documents.render(project / 'docs')]
    plots = ['docs/plots/summary.png', 'docs/plots/r-differences.png']
    assert found == ['README.md', *plots]
    assert 'mined' in (project / 'README.md').read_text()
    for path in plots:
        assert (project / path).read_bytes().startswith(b'\x89PNG')
    assert len(list((project / 'docs/plots').iterdir())) == 2
    # Once they are current, only the plots are drawn again, to the same bytes.
    before = [(project / path).read_bytes() for path in plots]
    assert documents.render(project) == [project / path for path in plots]
    assert [(project / path).read_bytes() for path in plots] == before


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (TABLE.replace('r.json', 'gone.json'), "README.md shows '.*gone.json', which is no file"),
        (TABLE.replace('AP = kitti/moderate_AP40', 'AP'), "has the columns 'AP'; give title ="),
        ('![](plots/r-diagnosis.png)', 'shows r-diagnosis.png; its records have no diagnosis'),
        ('![](plots/gone-learning.png)', "shows '.*gone.json', which is no file of records"),
    ],
)
def test_what_a_document_asks_for_and_is_not_there_is_named(project, text, message):
    (project / 'README.md').write_text(text.format(''))
    with pytest.raises(tables.ReportError, match=message):
        documents.render(project)
    assert (project / 'README.md').read_text() == text.format('')


def test_the_project_is_the_folder_around_the_given_one(project):
    (project / 'docs/deep').mkdir()
    assert documents.project_root(project / 'docs/deep') == project.resolve()
    with pytest.raises(tables.ReportError, match='holds results/ and configs/'):
        documents.project_root(project.parent)
