"""What is kept of trainings, written and read again."""

import json

import pytest

from mmdet_lrm.study.fairness import StudyError
from mmdet_lrm.study.records import (
    Record,
    mean_of_last,
    put_record,
    read_records,
    records_of,
    require_kept,
    write_records,
)


def record(label, seed, value, **more):
    return Record(label, None, 'a', seed, {'voc/mAP': value}, **more)


def test_records_are_read_as_they_were_written(tmp_path):
    file = tmp_path / 'new/x.json'
    rows = dict(evaluations={'epoch': [1, 2], 'voc/mAP': [None, 0.5]}, minutes=2.0)
    records = [
        record('a', 0, 0.5, commit='c', common={'k': '1'}, **rows),
        record('b', 0, None, commit='c', common={'k': '1'}, changes={'l': '2'}),
    ]
    write_records(records, file)
    assert read_records(file) == records


def test_parts_count_until_the_whole_is_recorded(study_of, tmp_path):
    runs = study_of('voc/mAP', {'base': [0.5, 0.6]})
    (tmp_path / 'parts').mkdir()
    for number, run in zip((2, 11), runs, strict=True):
        write_records([run], tmp_path / f'parts/cells.part{number}of11.json')
    assert records_of('cells', tmp_path) == runs
    write_records(runs[:1], tmp_path / 'cells.json')
    assert records_of('cells', tmp_path) == runs[:1]


def test_what_all_records_share_is_written_once_and_a_record_is_a_line(tmp_path):
    file = tmp_path / 'x.json'
    write_records([record('a', 0, 0.5, commit='c'), record('b', 0, 0.25, commit='c')], file)
    lines = file.read_text().splitlines()
    assert json.loads(file.read_text())['shared'] == {
        'config': 'a',
        'last': 1,
        'commit': 'c',
    }
    assert json.loads(lines[2].rstrip(',')) == {
        'label': 'a',
        'baseline': None,
        'seed': 0,
        'metrics': {'voc/mAP': 0.5},
    }


def test_entries_that_all_records_have_are_written_once_and_keep_their_order(tmp_path):
    file = tmp_path / 'x.json'
    columns = dict(last=1, losses={'epoch': [1, 2], 'loss': [3.0, 2.0]})
    one = {'epoch': [1, 2], 'voc/b': [0.0, 0.5], 'voc/a': [0.0, 0.0]}
    two = one | {'voc/b': [0.0, 0.75]}
    records = [
        Record('a', None, 'a', 0, {'voc/b': 0.5, 'voc/a': 0.0}, evaluations=one, **columns),
        Record('a', None, 'a', 1, {'voc/b': 0.75, 'voc/a': 0.0}, evaluations=two, **columns),
    ]
    write_records(records, file)
    content = json.loads(file.read_text())
    assert content['shared']['evaluations'] == one | {'voc/b': None}
    assert content['shared']['losses'] == columns['losses']
    assert content['records'][1]['evaluations'] == {'voc/b': [0.0, 0.75]}
    assert 'losses' not in content['records'][1]
    found = read_records(file)
    assert found == records
    assert [list(each.evaluations) for each in found] == [['epoch', 'voc/b', 'voc/a']] * 2
    assert [list(each.metrics) for each in found] == [['voc/b', 'voc/a']] * 2


@pytest.mark.parametrize('other', [{}, {'a': 1.0}, {'b': 2.0, 'a': 1.0}, {'a': None, 'b': 2.0}])
def test_entries_that_one_record_lacks_or_has_otherwise_come_back(other, tmp_path):
    file = tmp_path / 'x.json'
    records = [
        record('a', 0, 0.5, errors={'a': 1.0, 'b': 2.0}, losses={'epoch': [1], 'loss': [None]}),
        record('b', 0, 0.5, errors=other, losses={'epoch': [1], 'loss': [2.0]}),
    ]
    write_records(records, file)
    assert read_records(file) == records
    assert [list(each.errors) for each in read_records(file)] == [['a', 'b'], list(other)]


def test_a_metric_is_the_mean_of_the_last_epochs():
    evaluations = {'epoch': [5, 9, 10], 'a': [9.0, 2.0, 4.0], 'b': [9.0, None, 4.0]}
    assert mean_of_last(evaluations, 1) == {'a': 4.0, 'b': 4.0}
    assert mean_of_last(evaluations, 2) == {'a': 3.0, 'b': None}
    assert mean_of_last(evaluations, 3) == {'a': 5.0, 'b': None}


def test_metrics_are_not_written_beside_the_evaluations_that_they_are_the_mean_of(tmp_path):
    file = tmp_path / 'x.json'
    evaluations = {'epoch': [7, 8], 'voc/mAP': [0.25, 0.75]}
    mean = record('a', 0, 0.5, evaluations=evaluations, last=2)
    other = record('b', 0, 0.75, evaluations=evaluations, last=2)
    write_records([mean, other, Record('c', None, 'a', 0, {})], file)
    rows = [json.loads(line.rstrip(',')) for line in file.read_text().splitlines()[2:-1]]
    assert ['metrics' in row for row in rows] == [False, True, False]
    assert read_records(file) == [mean, other, Record('c', None, 'a', 0, {})]


def test_a_value_that_json_lacks_is_refused_and_the_old_records_stay(tmp_path):
    file = tmp_path / 'x.json'
    write_records([record('a', 0, 0.5)], file)
    with pytest.raises(ValueError, match='JSON'):
        write_records([record('a', 0, float('nan'))], file)
    assert read_records(file) == [record('a', 0, 0.5)]
    assert [each.name for each in tmp_path.iterdir()] == ['x.json']


def test_a_record_takes_the_place_of_an_older_one_of_its_label(tmp_path):
    file = tmp_path / 'x.json'
    for label, value in (('a', 0.1), ('b', 0.2), ('a', 0.3)):
        put_record(record(label, 0, value), file)
    put_record(record('a', 1, 0.4), file)
    found = [(each.label, each.seed, each.metrics['voc/mAP']) for each in read_records(file)]
    assert found == [('a', 0, 0.3), ('b', 0, 0.2), ('a', 1, 0.4)]


def test_no_run_that_a_file_holds_is_lost(tmp_path):
    file, runs = tmp_path / 'x.json', [record('a', 0, 0.5), record('b', 0, 0.5)]
    require_kept(file, runs, 'do this')  # nothing is there
    write_records(runs, file)
    require_kept(file, [*runs, record('a', 1, 0.5)], 'do this')
    message = r"x\.json' holds 1 of 2 runs that are not among these, such as b, seed 0, .*; do this"
    with pytest.raises(StudyError, match=message):
        require_kept(file, runs[:1], 'do this')
    file.write_text('[1]')
    with pytest.raises(StudyError, match=r'holds none; move it away, or give another name'):
        require_kept(file, runs, 'do this')


@pytest.mark.parametrize(
    'content',
    [b'', b'\xff', b'[1]', b'{"records": []}', b'{"shared": {}, "records": [{"label": "a"}]}'],
)
def test_what_holds_no_records_is_refused_by_name(tmp_path, content):
    file = tmp_path / 'x.json'
    file.write_bytes(content)
    with pytest.raises(StudyError, match=r"x\.json' holds no records .*; take the file from git"):
        read_records(file)
