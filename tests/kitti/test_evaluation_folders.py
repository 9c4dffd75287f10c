"""Folders of label and result files, evaluated as the devkit does."""

import json

import pytest

from mmdet_lrm.kitti.evaluation import evaluate_folders
from mmdet_lrm.kitti.objects import KittiDataError


@pytest.fixture
def changed_golden(shared_dir, tmp_path):
    """APs of the golden detections after a function of number and line, None to leave it out."""

    def evaluated(change):
        folder = tmp_path / change.__name__
        folder.mkdir()
        number = 0
        for path in sorted((shared_dir / 'golden/kitti_eval/detections').glob('*.txt')):
            lines = path.read_text().splitlines()
            changed = [change(number + i, line) for i, line in enumerate(lines)]
            number += len(lines)
            text = ''.join(f'{line}\n' for line in changed if line is not None)
            (folder / path.name).write_text(text)
        return evaluate_folders(shared_dir / 'data/kitti_subset/training/label_2', folder)

    return evaluated


def test_types_in_lower_case_score_as_for_the_devkit(shared_dir, changed_golden, caplog):
    def lowered(number, line):
        return line.lower()

    result = changed_golden(lowered)
    expected = json.loads((shared_dir / 'golden/kitti_eval/expected.json').read_text())
    for name, levels in expected.items():
        for level, values in levels.items():
            assert result[name][level]['AP40'] == pytest.approx(values['AP40'], abs=1e-4)
    assert not caplog.records


def test_a_tenth_of_bus_lines_scores_as_without_them_and_is_said(changed_golden, caplog):
    def renamed(number, line):
        return line if number % 10 else line.replace(line.split()[0], 'Bus')

    def left_out(number, line):
        return line if number % 10 else None

    result = changed_golden(renamed)
    (message,) = caplog.messages
    assert (
        '309 of 3087 objects are of types that are not evaluated, and ignored: Bus 309' in message
    )
    assert result == changed_golden(left_out)
    assert result['Car']['moderate']['AP40'] == pytest.approx(51.43, abs=0.01)


CAR = 'Car 0 0 0 100 100 150 200 1 1 1 1 1 1 0'


@pytest.fixture
def folders(tmp_path):
    (tmp_path / 'gt').mkdir()
    (tmp_path / 'det').mkdir()
    for frame in ('000001', '000002'):
        (tmp_path / f'gt/{frame}.txt').write_text(CAR + '\n')
    (tmp_path / 'det/000001.txt').write_text(CAR + ' 0.5\n')
    return tmp_path / 'gt', tmp_path / 'det'


def test_frames_are_those_with_a_result_file_or_those_of_the_split(folders, tmp_path):
    gt, det = folders
    assert evaluate_folders(gt, det)['Car']['easy']['num_truths'] == 1
    split = tmp_path / 'val.txt'
    split.write_text('000001\n000002\n')
    with pytest.raises(KittiDataError, match='000002'):
        evaluate_folders(gt, det, split)
    (det / '000002.txt').touch()
    assert evaluate_folders(gt, det, split)['Car']['easy']['num_truths'] == 2


def test_labels_of_unknown_types_are_ignored_with_a_word(folders, caplog):
    gt, det = folders
    (gt / '000001.txt').write_text(f'{CAR}\n{CAR.replace("Car", "Bus")}\n')
    (det / '000001.txt').write_text(f'{CAR} 0.5\n{CAR.replace("Car", "Van")} 0.6\n')
    assert evaluate_folders(gt, det)['Car']['easy']['num_truths'] == 1
    said = [f'{folder}: 1 of 2 objects are of types that are not evaluated' for folder in folders]
    assert [message.split(', and')[0] for message in caplog.messages] == said
    assert [message.split(': ')[-1] for message in caplog.messages] == ['Bus 1', 'Van 1']


def test_what_a_system_keeps_beside_the_data_is_no_frame(folders):
    gt, det = folders
    (det / '._000001.txt').write_bytes(b'\0\5\x16\7')
    assert evaluate_folders(gt, det)['Car']['easy']['num_truths'] == 1


def test_missing_labels_and_wrong_lines_are_reported(folders):
    gt, det = folders
    (det / '000001.txt').write_text(CAR + '\n' + CAR + ' nan\n')
    (gt / '000001.txt').write_text('\n' + CAR + ' 1\n')
    with pytest.raises(KittiDataError) as error:
        evaluate_folders(gt, det)
    text = '\n'.join(error.value.problems)
    assert len(error.value.problems) == 3
    assert 'gt/000001.txt:2' in text
    assert 'det/000001.txt:1' in text and 'det/000001.txt:2' in text
    (det / '000003.txt').touch()
    with pytest.raises(KittiDataError, match='000003'):
        evaluate_folders(gt, det)
    with pytest.raises(FileNotFoundError, match='nowhere'):
        evaluate_folders(gt, det / 'nowhere')
