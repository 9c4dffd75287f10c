import logging
import socket

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from mmdet.registry import METRICS
from mmengine import dist

from mmdet_lrm.kitti import KittiMetric
from mmdet_lrm.kitti.evaluation import evaluate_folders
from mmdet_lrm.kitti.labels import read_objects
from mmdet_lrm.kitti.objects import KittiDataError

CLASSES = ('Car', 'Pedestrian', 'Cyclist')
LABEL = '{} 0 0 0 {} 100 {} 200 1 1 1 1 1 1 0\n'
NUM_FRAMES = 5


@pytest.fixture
def label_dir(tmp_path):
    """Five frames with a car and, but in the last, a pedestrian; no cyclist."""
    folder = tmp_path / 'label_2'
    folder.mkdir()
    for frame in range(NUM_FRAMES):
        text = LABEL.format('Car', 100, 200)
        if frame < NUM_FRAMES - 1:
            text += LABEL.format('Pedestrian', 300, 350)
        (folder / f'00000{frame}.txt').write_text(text)
    return folder


def sample(frame: int) -> dict:
    """Detections of a frame: the car, a false pedestrian; nothing in frame 1."""
    count = 0 if frame == 1 else 2
    boxes = torch.tensor([[100.0, 100, 200, 200], [600, 100, 650, 200]])
    return dict(
        img_id=f'00000{frame}',
        pred_instances=dict(
            bboxes=boxes[:count],
            labels=torch.tensor([0, 1])[:count],
            scores=torch.tensor([0.9 - frame / 30, 0.4])[:count],
        ),
        # What a pipeline made of the truth must not matter.
        gt_instances=dict(bboxes=torch.zeros(1, 4), labels=torch.zeros(1)),
    )


def metric(classes=CLASSES, **kwargs) -> KittiMetric:
    built = METRICS.build(dict(type='KittiMetric', **kwargs))
    built.dataset_meta = dict(classes=classes)
    return built


def run(built: KittiMetric, frames=range(NUM_FRAMES)) -> dict:
    built.process({}, [sample(frame) for frame in frames])
    return built.evaluate(len(frames))


def test_keys_are_means_first_and_then_classes(label_dir):
    result = run(metric(label_dir=str(label_dir)))
    assert list(result)[:6] == [
        f'kitti/{level}_{ap}' for level in ('moderate', 'easy', 'hard') for ap in ('AP40', 'AP11')
    ]
    assert list(result)[6:8] == ['kitti/Car_easy_AP40', 'kitti/Car_easy_AP11']
    assert len(result) == 6 + 3 * 3 * 2
    assert all(isinstance(value, float) for value in result.values())


def test_values_are_percent_and_means_over_the_classes(label_dir):
    result = run(metric(label_dir=str(label_dir)))
    # Four of five cars found, none false: 4 thresholds of 41 points.
    assert result['kitti/Car_easy_AP40'] == pytest.approx(100 * 3 / 40)
    assert result['kitti/Car_easy_AP11'] == pytest.approx(100 * 1 / 11)
    assert result['kitti/Pedestrian_easy_AP40'] == 0
    assert result['kitti/moderate_AP40'] == pytest.approx(100 * 3 / 40 / 3)


def test_labels_are_names_of_the_datasets_classes(label_dir):
    # Label 0 is a Truck here, of which there is none; label 1 is Car, and wrong.
    result = run(metric(('Truck', 'Car'), label_dir=str(label_dir)))
    assert {key.split('/')[1].split('_')[0] for key in result} == {
        *('Truck', 'Car', 'easy', 'moderate', 'hard'),
    }
    assert result['kitti/Car_easy_AP40'] == 0


def test_classes_of_ones_own_are_evaluated_and_their_limits_said(label_dir, monkeypatch):
    logged = []
    monkeypatch.setattr(logging.Logger, 'info', lambda _, text, *a: logged.append(text))
    official = run(metric(label_dir=str(label_dir)))
    assert not [text for text in logged if 'no class' in text]
    for path in label_dir.iterdir():
        path.write_text(path.read_text().replace('Car', 'Lorry'))
    limits = dict(Lorry=dict(iou_thr=0.7, min_heights=[40, 25, 25]))
    own = run(metric(('Lorry', *CLASSES[1:]), label_dir=str(label_dir), limits=limits))
    assert own == {key.replace('Car', 'Lorry'): value for key, value in official.items()}
    (said,) = [text for text in logged if 'no class' in text]
    assert said.startswith("Lorry is no class of KITTI's benchmark; ") and 'iou_thr=0.7' in said


@pytest.mark.parametrize(
    ('limits', 'message'),
    [
        (dict(Car=dict(iou_thr=0.5)), "has Car, whose limits are KITTI's"),
        (dict(Bus=dict(iou=0.5)), r"of Bus are .*'iou'.* iou_thr in \(0, 1\), neighbour"),
        (dict(Bus=dict(iou_thr=50)), 'of Bus are'),
        (dict(Bus=dict(iou_thr='x')), 'of Bus are'),
        (dict(Bus=dict(min_heights=(40, 25))), 'three integers'),
        (dict(Bus=dict(min_heights=(40, 25, 2.5))), 'three integers'),
    ],
)
def test_limits_that_are_none_are_refused(label_dir, limits, message):
    with pytest.raises(ValueError, match=message):
        metric(label_dir=str(label_dir), limits=limits)


def test_a_class_without_truths_is_named(label_dir, monkeypatch):
    messages = []
    monkeypatch.setattr(logging.Logger, 'warning', lambda _, text, *a: messages.append(text))
    run(metric(label_dir=str(label_dir)))
    assert [text for text in messages if 'Cyclist' in text]
    assert not [text for text in messages if 'Pedestrian' in text]


def test_a_class_whose_truths_are_all_hard_is_not_called_absent(label_dir, monkeypatch):
    messages = []
    monkeypatch.setattr(logging.Logger, 'warning', lambda _, text, *a: messages.append(text))
    for path in label_dir.iterdir():  # largely occluded
        path.write_text(path.read_text().replace('Pedestrian 0 0', 'Pedestrian 0 2'))
    run(metric(label_dir=str(label_dir)))
    assert [text.partition(' in ')[0] for text in messages] == ["No truth of ['Cyclist']"]


def test_export_is_the_submission_format_and_evaluates_to_the_same(label_dir, tmp_path):
    folder = tmp_path / 'results'
    result = run(metric(label_dir=str(label_dir), outfile_prefix=str(folder)))
    files = sorted(folder.iterdir())
    assert [path.name for path in files] == [f'00000{frame}.txt' for frame in range(NUM_FRAMES)]
    assert files[1].read_text() == ''
    first = files[0].read_text().splitlines()[0].split()
    assert first[:4] == ['Car', '-1', '-1', '-10']
    assert [float(field) for field in first[4:8]] == [100, 100, 200, 200]
    assert first[8:15] == ['-1', '-1', '-1', '-1000', '-1000', '-1000', '-10']
    assert np.float32(read_objects(files[:1], scored=True).score[0]) == np.float32(0.9)
    from_files = evaluate_folders(label_dir, folder)
    for ap in ('AP11', 'AP40'):
        assert result[f'kitti/Car_hard_{ap}'] == from_files['Car']['hard'][ap]


def test_format_only_writes_and_needs_no_labels(tmp_path):
    folder = tmp_path / 'results'
    assert run(metric(format_only=True, outfile_prefix=str(folder))) == {}
    assert len(list(folder.iterdir())) == NUM_FRAMES


def test_wrong_options_are_refused_when_the_metric_is_built(tmp_path):
    with pytest.raises(ValueError, match='outfile_prefix'):
        KittiMetric(format_only=True)
    with pytest.raises(ValueError, match='label_dir'):
        KittiMetric()
    with pytest.raises(FileNotFoundError, match='nowhere'):
        KittiMetric(label_dir=str(tmp_path / 'nowhere'))


def test_a_frame_without_label_is_named(label_dir):
    (label_dir / '000003.txt').unlink()
    with pytest.raises(KittiDataError, match='000003'):
        run(metric(label_dir=str(label_dir)))


def _in_process(rank: int, label_dir: str, port: int, queue) -> None:
    torch.distributed.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2
    )
    assert dist.get_world_size() == 2
    # As mmengine's sampler deals five frames to two processes: the last one is padding.
    frames = [[0, 2, 4], [1, 3, 0]][rank]
    built = metric(label_dir=label_dir)
    built.process({}, [sample(frame) for frame in frames])
    queue.put((rank, built.evaluate(NUM_FRAMES)))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(label_dir):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    queue = mp.get_context('spawn').SimpleQueue()
    mp.spawn(_in_process, args=(str(label_dir), port, queue), nprocs=2)
    results = dict(queue.get() for _ in range(2))
    assert results[0] == results[1] == run(metric(label_dir=str(label_dir)))
