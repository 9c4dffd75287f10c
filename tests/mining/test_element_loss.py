import copy
from unittest import mock

import pytest
import torch
from mmdet.models.losses import L1Loss
from mmdet.registry import MODELS

from mmdet_lrm import LRMElementLoss

ROWS, CLASSES = 12, 3
LABELS = torch.arange(ROWS) % (CLASSES + 1)
WEIGHT = torch.tensor([1.0, 0.5, 0.0] * 4)


def build(loss, **options):
    return MODELS.build(dict(type='LRMElementLoss', loss=loss, **options))


def one_hot():
    return torch.nn.functional.one_hot(LABELS, CLASSES + 1)[:, :CLASSES].float()


def boxes():
    corners = torch.rand(ROWS, 2) * 10
    return torch.cat([corners, corners + 1 + torch.rand(ROWS, 2) * 10], dim=1)


CASES = {  # loss with its options, prediction, target
    'CrossEntropyLoss': (dict(), lambda: (torch.randn(ROWS, CLASSES + 1), LABELS)),
    'CrossEntropyLoss, sigmoid': (
        dict(use_sigmoid=True),
        lambda: (torch.randn(ROWS, CLASSES), one_hot()),
    ),
    'CrossEntropyLoss, sigmoid of labels': (
        dict(use_sigmoid=True),
        lambda: (torch.randn(ROWS, CLASSES), LABELS),
    ),
    'FocalLoss': (dict(use_sigmoid=True), lambda: (torch.randn(ROWS, CLASSES), LABELS)),
    'QualityFocalLoss': (
        dict(use_sigmoid=True),
        lambda: (torch.randn(ROWS, CLASSES), (LABELS, torch.rand(ROWS))),
    ),
    'VarifocalLoss': (
        dict(use_sigmoid=True),
        lambda: (torch.randn(ROWS, CLASSES), one_hot() * 0.7),
    ),
    'DistributionFocalLoss': (
        dict(),
        lambda: (torch.randn(ROWS, 8), torch.rand(ROWS) * 6),
    ),
    'L1Loss': (dict(), lambda: (torch.randn(ROWS, 4), torch.randn(ROWS, 4))),
    'SmoothL1Loss': (dict(), lambda: (torch.randn(ROWS, 4), torch.randn(ROWS, 4))),
    'MSELoss': (dict(), lambda: (torch.randn(ROWS, 4), torch.randn(ROWS, 4))),
    'GIoULoss': (dict(), lambda: (boxes(), boxes())),
    'GHMC': (dict(), lambda: (torch.randn(ROWS, CLASSES), LABELS)),
}
LOSSES = pytest.mark.parametrize('case', CASES)


def weight_of(name, weight):
    """(n,) weights in the shape that mmdet's heads give them to a loss in."""
    if 'L1' in name or name == 'MSELoss':
        return weight[:, None].expand(-1, 4)
    return weight[:, None] if name in ('CrossEntropyLoss, sigmoid', 'VarifocalLoss') else weight


def case_of(name):
    options, data = CASES[name]
    torch.manual_seed(1)
    return name.split(',')[0], options, *data()


@LOSSES
@pytest.mark.parametrize('reduction', ['mean', 'sum', 'none', 'avg_factor'])
def test_keeping_everything_is_the_loss_itself(case, reduction):
    loss, options, pred, target = case_of(case)
    given = (
        dict(avg_factor=5.0) if reduction == 'avg_factor' else dict(reduction_override=reduction)
    )
    weight = weight_of(case, WEIGHT)
    if (loss, reduction) == ('GHMC', 'sum'):
        pytest.skip('mmdet refuses it')
    results = []
    for module in (
        MODELS.build(dict(type=loss, **options)),
        build(loss, hard_ratio=1.0, **options),
    ):
        leaf = pred.clone().requires_grad_()
        value = module(leaf, target, weight, **given)
        results.append((value.detach(), torch.autograd.grad(value.sum(), leaf)[0]))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@LOSSES
def test_only_the_hardest_rows_train(case):
    loss, options, pred, target = case_of(case)
    weight = weight_of(case, torch.ones(ROWS))
    whole = MODELS.build(dict(type=loss, **options))
    rows = whole(pred, target, weight, reduction_override='none').reshape(ROWS, -1).sum(dim=1)
    expected = rows >= rows.sort().values[-4]
    leaf = pred.clone().requires_grad_()
    module = build(loss, num_hard=4, **options)
    kept = module(leaf, target, weight, reduction_override='none').reshape(ROWS, -1)
    assert torch.equal(kept.sum(dim=1) != 0, expected)
    # GHM counts its rows anew without the easy ones, all others leave the loss of a row as it is.
    if loss != 'GHMC':
        torch.testing.assert_close(kept.sum(dim=1)[expected], rows[expected])
    (gradient,) = torch.autograd.grad(kept.sum(), leaf)
    assert torch.equal((gradient != 0).any(dim=1), expected)


@pytest.mark.parametrize('case', [name for name in CASES if name != 'GHMC'])
def test_a_weight_of_none_stands_for_ones(case):
    loss, options, pred, target = case_of(case)
    module = build(loss, num_hard=4, **options)
    ones = weight_of(case, torch.ones(ROWS))
    torch.testing.assert_close(module(pred, target), module(pred, target, ones))


def test_rows_without_weight_do_not_count():
    pred = torch.tensor([[9.0], [5.0], [3.0], [1.0]])
    module = build('L1Loss', hard_ratio=0.5)
    weight = torch.tensor([[0.0], [1.0], [1.0], [1.0]])
    loss = module(pred, torch.zeros(4, 1), weight, reduction_override='none')
    assert loss.flatten().tolist() == [0.0, 5.0, 3.0, 0.0]


def test_weights_of_each_class_may_come_in_one_dimension():
    pred, weight = torch.randn(ROWS, CLASSES), torch.rand(ROWS * CLASSES)
    module = build('FocalLoss', num_hard=4)
    flat = module(pred, LABELS, weight, reduction_override='none')
    rows = MODELS.build(dict(type='FocalLoss'))(pred, LABELS, weight, reduction_override='none')
    kept = rows.sum(dim=1) >= rows.sum(dim=1).sort().values[-4]
    torch.testing.assert_close(flat, rows * kept[:, None])


def test_ignored_labels_do_not_count():
    pred = torch.tensor([[0.0, 9.0], [0.0, 9.0], [0.0, 5.0], [0.0, 1.0]])
    labels = torch.tensor([255, -100, 0, 0])
    module = build('CrossEntropyLoss', hard_ratio=0.5, ignore_index=255)
    loss = module(pred, labels.clamp(min=0), reduction_override='none')
    assert loss.nonzero().flatten().tolist() == [1, 2]
    # The sigmoid leaves -1 out as well, so that two of three rows are kept.
    sigmoid = build('CrossEntropyLoss', hard_ratio=0.5, use_sigmoid=True)
    loss = sigmoid(pred, torch.tensor([-1, 0, 0, 0]), reduction_override='none').sum(dim=1)
    assert loss.nonzero().flatten().tolist() == [1, 2]
    other = build('CrossEntropyLoss', hard_ratio=0.5)
    loss = other(pred[1:], labels[1:], reduction_override='none')
    assert loss.nonzero().flatten().tolist() == [1]


def test_a_mean_over_the_labels_that_count_stays_one():
    options = dict(ignore_index=255, avg_non_ignore=True)
    pred, labels = torch.randn(8, 4), torch.tensor([0, 1, 2, 3, 0, 255, 255, 255])
    plain = MODELS.build(dict(type='CrossEntropyLoss', **options))(pred, labels)
    module = build('CrossEntropyLoss', hard_ratio=1.0, **options)
    torch.testing.assert_close(module(pred, labels), plain)


def test_maps_and_priors_are_ranked_within_their_image():
    pred = torch.tensor([[3.0, 1.0, 2.0], [30.0, 10.0, 20.0]])
    zeros = torch.zeros(2, 3)
    module = build('L1Loss', num_hard=1, per_image=True)
    loss = module(pred, zeros, reduction_override='none')
    assert loss.tolist() == [[3.0, 0.0, 0.0], [30.0, 0.0, 0.0]]
    module = build('L1Loss', num_hard=1)
    loss = module(pred[..., None], zeros[..., None], reduction_override='none')
    assert loss.flatten().tolist() == [3.0, 0.0, 0.0, 30.0, 0.0, 0.0]
    maps = pred.reshape(2, 1, 1, 3).repeat(1, 2, 1, 1)
    loss = module(maps, torch.zeros_like(maps), reduction_override='none')
    assert loss[:, 1, 0].tolist() == [[3.0, 0.0, 0.0], [30.0, 0.0, 0.0]]
    # Without the hint the same numbers are rows of three classes.
    assert module(pred, zeros, reduction_override='none').tolist() == [[0.0] * 3, [30.0, 10, 20]]


def test_the_mean_can_be_that_of_the_kept():
    pred, zeros = torch.tensor([[4.0], [3.0], [2.0], [1.0]]), torch.zeros(4, 1)
    module = build('L1Loss', num_hard=2, normalizer='hard')
    assert module(pred, zeros).item() == 3.5
    assert module(pred, zeros, avg_factor=100.0).item() == 3.5
    assert build('L1Loss', num_hard=2)(pred, zeros).item() == 7 / 4
    assert build('L1Loss', num_hard=2)(pred, zeros, avg_factor=7.0).item() == pytest.approx(1.0)


def test_a_head_sees_the_attributes_of_the_loss():
    module = build('FocalLoss', use_sigmoid=True, loss_weight=3.0)
    assert (module.use_sigmoid, module.loss_weight) == (True, 3.0)
    assert not hasattr(module, 'no_such_attribute')
    assert repr(copy.deepcopy(module)) == repr(module)


def test_ranking_leaves_the_statistics_of_a_loss_alone():
    pred = torch.randn(ROWS, CLASSES)
    weight = torch.ones(ROWS)
    modules = [
        MODELS.build(dict(type='GHMC', momentum=0.9)),
        build('GHMC', hard_ratio=1.0, momentum=0.9),
    ]
    for _ in range(2):
        assert torch.equal(*(module(pred, LABELS, weight) for module in modules))


def test_without_elements_the_loss_is_that_of_nothing():
    module = build('SmoothL1Loss')
    pred = torch.zeros(0, 4, requires_grad=True)
    assert module(pred, torch.zeros(0, 4), torch.zeros(0, 4), avg_factor=1.0).item() == 0


@pytest.mark.parametrize('loss', ['GIoULoss', 'DIoULoss', 'IoULoss'])
def test_boxes_of_which_none_has_a_weight_lose_nothing(loss):
    boxes = torch.tensor([[0.0, 0, 4, 4], [2, 2, 8, 8]], requires_grad=True)
    mined = MODELS.build(dict(type='LRMElementLoss', loss=loss))
    found = mined(boxes, boxes.detach() + 1, torch.zeros(2, 4), avg_factor=1.0)
    assert found.shape == () and found == 0
    found.backward()
    assert not boxes.grad.any()


def test_a_call_without_an_element_wise_form_is_named():
    # CenterNet's second version adds the losses of positives to those of all places.
    module = build('GaussianFocalLoss')
    pred, target = torch.rand(6, 2), torch.rand(6, 2)
    pos_inds, pos_labels = torch.tensor([1, 4, 5]), torch.tensor([0, 1, 1])
    message = 'GaussianFocalLoss, which without reduction has no losses of elements'
    with pytest.raises(ValueError, match=message):
        module(pred, target, pos_inds, pos_labels)


def test_a_loss_that_is_not_finite_is_reported():
    pred = torch.zeros(3, 4)
    pred[1, 2] = torch.nan
    with pytest.raises(FloatingPointError, match='L1Loss of the batch'):
        build('L1Loss')(pred, torch.zeros(3, 4))
    with pytest.raises(FloatingPointError, match='L1Loss of image 1 of the batch'):
        build('L1Loss', per_image=True)(pred, torch.zeros(3, 4))


def test_a_loss_that_is_not_finite_is_reported_where_its_weight_is_zero():
    # The loss is NaN all the same: the weight is a factor.
    pred = torch.tensor([[1.0], [torch.nan]])
    weight = torch.tensor([[1.0], [0.0]])
    assert MODELS.build(dict(type='L1Loss'))(pred, torch.zeros(2, 1), weight).isnan()
    with pytest.raises(FloatingPointError, match='L1Loss of the batch'):
        build('L1Loss')(pred, torch.zeros(2, 1), weight)


def test_what_the_loss_itself_raises_comes_through(monkeypatch):
    pred = torch.randn(ROWS, CLASSES)
    with pytest.raises(RuntimeError, match=r'^Class values must be smaller than num_classes'):
        build('FocalLoss')(pred, LABELS + CLASSES)
    out_of_memory = mock.Mock(side_effect=torch.OutOfMemoryError('CUDA out of memory'))
    monkeypatch.setitem(L1Loss.forward.__globals__, 'l1_loss', out_of_memory)
    with pytest.raises(torch.OutOfMemoryError, match=r'^CUDA out of memory$'):
        build('L1Loss')(pred, pred)


@pytest.mark.parametrize('returned', [torch.zeros(()), torch.zeros(1)])
def test_a_loss_that_returns_none_of_its_elements_is_named(monkeypatch, returned):
    monkeypatch.setitem(L1Loss.forward.__globals__, 'l1_loss', lambda *args, **kwargs: returned)
    with pytest.raises(ValueError, match='L1Loss, which without reduction has no losses of'):
        build('L1Loss')(torch.zeros(2, 4), torch.zeros(2, 4))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            dict(loss='NoSuchLoss'),
            r"LRMElementLoss.loss is 'NoSuchLoss'; it must be the registered",
        ),
        (dict(loss=dict(type='L1Loss')), r'LRMElementLoss.loss is \{.*registered type'),
        (dict(loss='AssociativeEmbeddingLoss'), r'which has no element-wise form'),
        (dict(loss='LRMElementLoss'), r'which has no element-wise form'),
        (dict(loss='L1Loss', num_hard=1, hard_ratio=0.1), r'only one of them'),
        (dict(loss='L1Loss', hard_ratio=2.0), r'LRMElementLoss.hard_ratio is 2.0; it must lie in'),
        (dict(loss='L1Loss', normalizer='batch'), r'LRMElementLoss.normalizer is .batch'),
    ],
)
def test_bad_options_fail_when_built(options, message):
    with pytest.raises(ValueError, match=message):
        LRMElementLoss(**options)
