"""The numbers that the hook logs, worked by hand, and when it logs and draws."""

import math
from types import SimpleNamespace

import pytest
import torch
from mmdet.registry import HOOKS
from mmengine.config import Config

from mmdet_lrm.mining.diagnosis import PriorGradients
from mmdet_lrm.mining.lrm_loss import LRMLoss
from mmdet_lrm.mining.pictures import MiningPictureError
from mmdet_lrm.mining.prior_losses import PriorLosses
from mmdet_lrm.mining.visualization import chosen, evaluation_steps, mining_scalars


def test_the_logged_numbers_of_hand_worked_losses():
    # Of four priors in each of two images the two hardest train; one is ignored.
    losses = torch.tensor([[5.0, 4, 3, 1], [2.0, 9, 1, 0.5]])
    positive = torch.tensor([[0, 1, 0, 0], [0, 0, 0, 1]]) > 0
    valid = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 1]]) > 0
    gradient = torch.tensor([[3.0, 2, 2, 1], [1.0, 99, 1, 0]])
    measured = PriorGradients(PriorLosses(dict(loss=losses), valid, positive), gradient)
    found = mining_scalars(measured, LRMLoss(num_hard=2))
    assert {key: float(value) for key, value in found.items()} == pytest.approx(
        dict(
            kept=4 / 7,
            positives_filtered=1 / 2,
            gradient_positives=2 / 10,
            gradient_hard=5 / 10,
            gradient_easy=3 / 10,
            rank_value=(5 + 1) / 2,  # not 4, which is of an object
        )
    )


def test_without_objects_or_hard_negatives_there_is_no_number():
    every = torch.ones(1, 2) > 0
    priors = PriorLosses(dict(loss=torch.ones(1, 2)), every, ~every)
    measured = PriorGradients(priors, torch.ones(1, 2))
    assert math.isnan(mining_scalars(measured, LRMLoss())['positives_filtered'])
    objects = PriorGradients(priors._replace(positive=every), torch.ones(1, 2))
    assert math.isnan(mining_scalars(objects, LRMLoss())['rank_value'])


@pytest.fixture
def runner(monkeypatch):
    """Of a model that mines, with a record of what is logged and drawn."""
    head = torch.nn.Module()
    head.prior_losses, head.lrm, head.loss_terms = None, LRMLoss(num_hard=1), ('loss',)
    head.loss_by_feat = lambda *args: 'losses'
    losses = torch.tensor([[2.0, 1]])
    measured = PriorGradients(
        PriorLosses(dict(loss=losses), losses > 0, losses < 0), torch.ones(1, 2)
    )
    module = 'mmdet_lrm.mining.diagnosis.prior_gradients'
    monkeypatch.setattr(module, lambda *args: measured)
    found = SimpleNamespace(logged=[], drawn=[], model=SimpleNamespace(bbox_head=head), iter=0)
    found.message_hub = SimpleNamespace(
        update_scalar=lambda *each: found.logged.append((found.iter, *each))
    )
    return found


def test_numbers_and_pictures_come_at_their_intervals(runner, monkeypatch):
    hook = HOOKS.build(dict(type='MiningVisualizationHook', interval=2, picture_interval=3))
    monkeypatch.setattr(type(hook), 'draw', lambda self, runner: runner.drawn.append(runner.iter))
    runner.train_dataloader = SimpleNamespace(dataset=Images([]))
    runner.cfg, hook.images = Config(dict(val_dataloader=LOADER)), ()
    hook.before_train(runner)
    for runner.iter in range(5):
        hook.before_train_iter(runner, 0)
        assert runner.model.bbox_head.loss_by_feat(None) == 'losses'
        hook.after_train_iter(runner, 0)
    runner.iter = 5
    hook.after_train(runner)
    assert [step for step, key, _ in runner.logged if key == 'train/mining/kept'] == [0, 2, 4]
    assert (0, 'train/mining/kept', 0.5) in runner.logged
    assert not any('positives_filtered' in key for _, key, _ in runner.logged)  # has no value
    assert runner.drawn == [0, 3, 5]


class Images(list):
    """A data set of paths."""

    metainfo = {}  # noqa: RUF012

    def get_data_info(self, index):
        return dict(img_path=f'folder/{self[index]}', index=index)


def test_images_are_chosen_by_index_or_by_name_through_wrappers():
    wrapped = SimpleNamespace(dataset=SimpleNamespace(dataset=Images(['a.png', 'b.png'])))
    assert [each['index'] for each in chosen(wrapped, [1, 'a', 'b.png'])] == [1, 0, 1]
    for absent in (2, -1, 'c'):
        with pytest.raises(MiningPictureError, match=f'has 2 images, and none that is {absent!r}'):
            list(chosen(wrapped, [absent]))


LOADER = dict(
    dataset=dict(
        type='RepeatDataset',
        dataset=dict(pipeline=[dict(type='LoadImageFromFile'), dict(type='PackDetInputs')]),
    )
)


def test_images_are_loaded_as_for_the_first_evaluation_that_there_is():
    steps = evaluation_steps(Config(dict(val_dataloader=None, test_dataloader=LOADER)))
    assert [step['type'] for step in steps] == ['LoadImageFromFile', 'PackDetInputs']
    with pytest.raises(MiningPictureError, match='no val_dataloader'):
        evaluation_steps(Config(dict(val_dataloader=None)))


def test_mistakes_are_named_before_the_training(runner):
    with pytest.raises(ValueError, match='interval is 0'):
        HOOKS.build(dict(type='MiningVisualizationHook', interval=0))
    with pytest.raises(ValueError, match='picture_interval is -1'):
        HOOKS.build(dict(type='MiningVisualizationHook', picture_interval=-1))
    runner.model.bbox_head.lrm = None
    with pytest.raises(MiningPictureError, match='has no lrm'):
        HOOKS.build(dict(type='MiningVisualizationHook')).before_train(runner)
