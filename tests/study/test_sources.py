"""What the arguments of a report mean: folders that are compared, or a study with its runs."""

import json
from dataclasses import asdict, replace

import pytest
from mmengine.config import Config

from mmdet_lrm.study.records import write_records
from mmdet_lrm.study.sources import SourceError, find, label_of, versions_of
from mmdet_lrm.study.trainings import Logs, Spent

AP = 'voc/mAP'
LRM = dict(hard_ratio=0.25, type='LRMLoss')  # in the order that MMEngine writes


def trained(folder, name='a_x.py', seed=0, lrm=None, values=(0.1, 0.2)):
    """A work folder as a training leaves it, apart from its checkpoints."""
    logs = folder / '20260101_000000' / 'vis_data'
    logs.mkdir(parents=True)
    config = Config(
        dict(
            model=dict(bbox_head=dict(lrm=lrm)),
            randomness=dict(seed=seed),
            work_dir=str(folder),
            data_root='data/BCCD',
            train_dataloader={},
            val_dataloader={},
        )
    )
    config.dump(folder / name)
    rows = [dict(loss=3.0, epoch=1, iter=5, step=5)]
    rows += [{AP: value, 'step': epoch} for epoch, value in enumerate(values, start=1)]
    (logs / 'scalars.json').write_text(''.join(f'{json.dumps(row)}\n' for row in rows))
    return folder


def found(*paths, root):
    return find(paths, root / 'results', root / 'work_dirs')


def test_seeds_of_a_config_are_one_method_and_the_first_is_the_baseline(tmp_path):
    folders = [
        trained(tmp_path / 'one'),
        trained(tmp_path / 'two', seed=1, values=(0.3, 0.4)),
        trained(tmp_path / 'mined', 'a_lrm_x.py', lrm=LRM),
    ]
    source = found(*folders, root=tmp_path)
    assert [(each.label, each.seed, each.baseline) for each in source.records] == [
        *(('a_x', 0, None), ('a_x', 1, None), ('a_lrm_x', 0, 'a_x')),
    ]
    assert source.records[1].metrics == {AP: 0.4}
    assert source.records[1].evaluations == {'epoch': [1, 2], AP: [0.3, 0.4]}
    assert source.records[2].changes == {'model.bbox_head.lrm': repr(LRM)}
    assert source.folders['a_lrm_x', 0] == folders[2]
    assert (source.metric, source.home, source.title) == (AP, folders[0], 'a_x, a_lrm_x')


def test_trainings_that_stand_at_different_epochs_are_shown_apart_and_not_compared(tmp_path):
    folders = [
        trained(tmp_path / 'one', values=(0.1, 0.2, 0.4)),
        trained(tmp_path / 'two', seed=1, values=(0.1, 0.2, 0.4)),
        trained(tmp_path / 'mined', 'a_lrm_x.py', lrm=LRM),
    ]
    source = found(*folders, root=tmp_path)
    assert not source.comparable
    labels = ['a_x, seed 0, epoch 3', 'a_x, seed 1, epoch 3', 'a_lrm_x, epoch 2']
    assert [each.label for each in source.records] == labels
    assert [each.baseline for each in source.records] == [None] * 3
    assert [source.folders[each.label, each.seed] for each in source.records] == folders
    assert source.records[2].changes == {'model.bbox_head.lrm': repr(LRM)}
    # One seed of several, of a method by itself too.
    late = trained(tmp_path / 'late', seed=2, values=(0.1,))
    (*same, other) = found(*folders[:2], late, root=tmp_path).records
    assert [each.label for each in (*same, other)] == [*labels[:2], 'a_x, seed 2, epoch 1']
    assert found(*folders[:2], root=tmp_path).comparable
    assert found(folders[2], late, root=tmp_path).title == 'a_lrm_x, a_x'


def test_configs_of_one_name_are_told_apart_by_their_folders(tmp_path):
    folders = trained(tmp_path / 'plain'), trained(tmp_path / 'mined', lrm=LRM)
    labels = [each.label for each in found(*folders, root=tmp_path).records]
    assert labels == ['plain', 'mined']
    (run,) = found(trained(tmp_path / 'base-seed0-37d3ca27', 'config.py'), root=tmp_path).records
    assert run.label == 'base'
    assert label_of('hard_ratio=0.05_nms_iou_thr=0.7-seed0-37d3ca27') == (
        'hard_ratio=0.05 nms_iou_thr=0.7'
    )


def test_what_cannot_be_compared_is_said_in_a_line(tmp_path):
    one, again = trained(tmp_path / 'one'), trained(tmp_path / 'again')
    empty = trained(tmp_path / 'empty', values=())
    (tmp_path / 'nothing').mkdir()
    (tmp_path / 'x.txt').touch()
    for paths, message in (
        ((one, again), r"again' and '.*one' are trainings by one config with one seed \(0\)"),
        ((empty,), "the logs of '.*empty' hold no evaluation"),
        ((tmp_path / 'nothing',), "nothing' is no work folder of a training: no config is in it"),
        ((tmp_path / 'gone',), "gone' is not there .*give work folders of trainings, or a study"),
        ((tmp_path / 'x.txt',), 'is neither a study'),
    ):
        with pytest.raises(SourceError, match=message):
            found(*paths, root=tmp_path)


@pytest.fixture
def study(study_of, tmp_path):
    """Records of two methods and two seeds, and the folders of three of their runs."""
    records = [
        replace(each, evaluations={'epoch': [1], AP: [each.metrics[AP]]})
        for each in study_of(AP, {'base': [0.1, 0.2], 'hard_ratio=0.25': [0.3, 0.4]})
    ]
    write_records(records, tmp_path / 'results/s.json')
    runs = tmp_path / 'work_dirs/s/runs'
    for name, value in (
        ('base-seed0-ffffffff', 0.9),  # an earlier one, by another config
        ('base-seed0-11111111', 0.1),
        ('hard_ratio=0.25-seed1-22222222', 0.4),
    ):
        (runs / name).mkdir(parents=True)
        logs = asdict(Logs(evaluations={'epoch': [1], AP: [value]}))
        (runs / name / 'finished.json').write_text(
            json.dumps(dict(logs=logs, spent=asdict(Spent())))
        )
    return tmp_path


def test_runs_of_a_study_are_found_by_name_and_log(study):
    source = found(study / 'results/s.json', root=study)
    runs = study / 'work_dirs/s/runs'
    assert source.folders == {
        ('base', 0): runs / 'base-seed0-11111111',
        ('hard_ratio=0.25', 1): runs / 'hard_ratio=0.25-seed1-22222222',
    }
    assert (source.title, source.home, len(source.records)) == ('s', study / 'work_dirs/s', 4)


def test_a_study_is_found_by_its_file_and_by_its_folder_too(study):
    file = study / 's.py'
    file.write_text("metric = 'voc/RBC_AP'\n")
    by_record = found(study / 'results/s.json', root=study)
    assert found(file, root=study) == replace(by_record, metric='voc/RBC_AP')
    assert found(study / 'work_dirs/s', root=study) == by_record
    # A folder has records of its own, which are meant before those of a study called like it.
    own = study / 'work_dirs/s/records.json'
    write_records(by_record.records[:2], own)
    assert len(found(study / 'work_dirs/s', root=study).records) == 2
    assert len(found(own, root=study).records) == 2 and found(own, root=study).title == 's'
    assert found(file, root=study).records == by_record.records
    own.unlink()
    (study / 'results/s.json').unlink()
    with pytest.raises(SourceError, match=r'the study s has no records .*What is finished of it'):
        found(study / 'work_dirs/s', root=study)


def test_the_log_says_what_was_trained_with(tmp_path):
    assert versions_of(tmp_path) == {}
    (tmp_path / '20260101').mkdir()
    text = '    Python: 3.11.7 (main)\n    PyTorch: 2.13.0+cpu\n    MMEngine: 0.10.12\n'
    (tmp_path / '20260101/20260101.log').write_text(text)
    assert versions_of(tmp_path) == dict(python='3.11.7', torch='2.13.0+cpu', mmengine='0.10.12')
