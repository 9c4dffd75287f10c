import copy

import pytest
import torch
from mmdet.registry import MODELS

from mmdet_lrm import HardNegativeLoss, LRMLoss
from mmdet_lrm.mining import Level, rank
from mmdet_lrm.mining.prior_losses import PriorLosses

CONF = torch.tensor([[4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]])
CLS = torch.tensor([[0.0, 0.0, 9.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
VALID = torch.ones(2, 4, dtype=torch.bool)
POSITIVE = torch.tensor([[False, False, True, True], [False, False, False, False]])


def mask_of(positive=POSITIVE, bboxes=None, levels=None, valid=VALID, **options):
    losses = dict(loss_conf=CONF, loss_cls=CLS)
    prior_losses = PriorLosses(losses, valid, positive, bboxes, levels)
    return LRMLoss(**options).hard_mask(prior_losses).int().tolist()


def conf_only(conf=CONF, valid=VALID, **fields):
    return PriorLosses(dict(loss_conf=conf), valid, **fields)


def test_all_terms_are_ranked_by_default():
    assert mask_of(num_hard=1) == [[0, 0, 1, 0], [0, 0, 0, 1]]


def test_one_term_can_be_ranked():
    assert mask_of(num_hard=1, rank_by='loss_conf') == [[1, 0, 0, 0], [0, 0, 0, 1]]


def test_a_quarter_is_kept_by_default():
    assert mask_of() == mask_of(hard_ratio=0.25) == mask_of(num_hard=1)


def test_cells_stay_or_go_with_all_their_base_priors():
    assert mask_of(num_hard=1, element='cell', levels=[Level(2, 2)]) == [[0, 0, 1, 1], [0, 0, 1, 1]]


def test_a_batch_keeps_the_hardest_of_all_images():
    assert mask_of(num_hard=1, scope='batch') == [[1, 0, 1, 0], [0, 0, 0, 0]]
    assert mask_of(hard_ratio=0.25, scope='batch') == [[1, 0, 1, 0], [0, 0, 0, 0]]


def test_levels_are_ranked_apart():
    levels = [Level(1, 2), Level(2, 1)]
    assert mask_of(num_hard=1, scope='level', levels=levels) == [[1, 0, 1, 0], [0, 1, 0, 1]]
    assert mask_of(hard_ratio=0.5, scope='level', levels=levels) == [[1, 0, 1, 0], [0, 1, 0, 1]]
    cells = mask_of(num_hard=1, scope='level', levels=levels, element='cell')
    assert cells == [[1, 1, 1, 0], [1, 1, 0, 1]]


def test_cells_of_levels_with_different_numbers_of_base_priors():
    mask = mask_of(num_hard=1, element='cell', levels=[Level(1, 3), Level(1, 1)])
    assert mask == [[1, 1, 1, 0], [1, 1, 1, 0]]


def test_positives_can_be_kept_in_addition():
    assert mask_of(num_hard=1, keep_positives=True) == [[0, 0, 1, 1], [0, 0, 0, 1]]


def test_thinning_comes_before_the_ranking():
    same = torch.tensor([0.0, 0, 10, 10]).expand(2, 4, 4)
    assert mask_of(num_hard=2, nms_iou_thr=0.7, bboxes=same) == [[0, 0, 1, 0], [0, 0, 0, 1]]


def test_the_share_counts_the_priors_before_the_thinning():
    left, right = [0.0, 0, 10, 10], [50.0, 0, 60, 10]
    bboxes = torch.tensor([[left, left, right, right]] * 2)
    kept = mask_of(hard_ratio=0.5, rank_by='loss_conf', nms_iou_thr=0.7, bboxes=bboxes)
    assert kept == [[1, 0, 1, 0], [0, 1, 0, 1]]
    # Fewer survive than K.
    assert mask_of(num_hard=4, nms_iou_thr=0.7, bboxes=bboxes) == [[1, 0, 1, 0], [0, 1, 0, 1]]


@pytest.mark.parametrize('options', [dict(element='cell'), dict(scope='level')])
def test_cells_and_levels_see_the_thinning_to_its_end(monkeypatch, options):
    monkeypatch.setattr(rank, 'NMS_BLOCK', 1)
    apart = 20 * torch.arange(4.0)[:, None] + torch.tensor([0.0, 0, 10, 10])
    levels = [Level(1, 2), Level(1, 2)]
    prior_losses = PriorLosses(
        dict(loss_conf=CONF), VALID, bboxes=apart.expand(2, -1, -1), levels=levels
    )
    plain, thinned = (
        LRMLoss(num_hard=1, nms_iou_thr=nms_iou_thr, **options).hard_mask(prior_losses)
        for nms_iou_thr in (None, 0.7)
    )
    # Nothing overlaps, so nothing is thinned.
    assert torch.equal(plain, thinned)


def test_a_batch_sees_the_thinning_to_its_end(monkeypatch):
    monkeypatch.setattr(rank, 'NMS_BLOCK', 1)
    # Nothing overlaps; the two hardest of the batch are in one image.
    apart = 20 * torch.arange(4.0)[:, None] + torch.tensor([0.0, 0, 10, 10])
    prior_losses = conf_only(CONF + torch.tensor([[9.0], [0.0]]), bboxes=apart.expand(2, -1, -1))
    mask = LRMLoss(num_hard=1, scope='batch', nms_iou_thr=0.7).hard_mask(prior_losses)
    assert mask.int().tolist() == [[1, 1, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(('strength', 'kept'), [(0.0, 4), (0.5, 3), (0.75, 2), (1.0, 1)])
def test_mining_without_thinning_comes_linearly(strength, kept):
    # Of 4 down to 1, rounded up.
    lrm = LRMLoss(num_hard=1)
    lrm.strength = strength
    assert lrm.hard_mask(conf_only()).sum(dim=1).tolist() == [kept] * 2


def test_thinning_of_cells_keeps_no_prior_that_was_thinned():
    same = torch.tensor([0.0, 0, 10, 10]).expand(2, 4, 4)
    mask = mask_of(num_hard=2, element='cell', nms_iou_thr=0.7, bboxes=same, levels=[Level(2, 2)])
    assert mask == [[0, 0, 1, 0], [0, 0, 0, 1]]


def test_invalid_priors_are_never_kept_not_even_as_positives():
    valid = torch.tensor([[True, True, False, True], [False] * 4])
    mask = mask_of(num_hard=1, keep_positives=True, valid=valid)
    assert mask == [[1, 0, 0, 1], [0, 0, 0, 0]]


def test_without_strength_every_valid_prior_is_kept():
    lrm = LRMLoss(num_hard=1, nms_iou_thr=0.5)
    lrm.strength = 0.0
    bboxes = torch.tensor([0.0, 0, 10, 10]).expand(2, 4, 4)
    assert torch.equal(lrm.hard_mask(conf_only(bboxes=bboxes)), VALID)


@pytest.mark.parametrize(
    ('strength', 'kept'),
    [
        (0.0, [0, 1, 2, 3, 4, 5, 6, 7]),
        (0.25, [0, 1, 2, 3, 4, 5, 6]),  # of 8 down to 2, rounded up
        (0.75, [0, 1, 2, 4]),  # the two that are kept in the end, then the hardest others
        (1.0, [0, 4]),
    ],
)
def test_thinned_mining_too_comes_linearly(strength, kept):
    lrm = LRMLoss(num_hard=4, nms_iou_thr=0.7)
    lrm.strength = strength
    loss = torch.arange(8.0, 0, -1)[None]
    two = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10]]).repeat_interleave(4, dim=0)[None]
    prior_losses = conf_only(loss, torch.ones(1, 8, dtype=torch.bool), bboxes=two)
    assert lrm.hard_mask(prior_losses)[0].nonzero().flatten().tolist() == kept


@pytest.mark.parametrize(('normalizer', 'divisor'), [('batch', 2), ('positives', 4), ('hard', 6)])
def test_the_sum_of_the_kept_is_divided_by_the_normalizer(normalizer, divisor):
    lrm = LRMLoss(num_hard=3, normalizer=normalizer)
    positive = torch.tensor([[True, True, True, True], [False] * 4])
    loss = lrm(conf_only(positive=positive))['loss_conf']
    assert loss.item() == pytest.approx((4 + 3 + 2 + 2 + 3 + 4) / divisor)


def test_the_head_says_what_its_sums_are_divided_by():
    lrm = LRMLoss(num_hard=3)
    assert lrm(conf_only(avg_factor=6))['loss_conf'].item() == pytest.approx(3)
    assert lrm(conf_only())['loss_conf'].item() == pytest.approx(9)


def test_three_negatives_of_each_positive_are_the_rival():
    positive = torch.arange(8)[None] == torch.tensor([[1], [-1]])
    valid = torch.arange(8)[None] > torch.tensor([[0], [-1]])
    # The positive has the largest loss of those that rank: it takes no negative's place.
    loss = torch.tensor([[9.0, 8, 1, 2, 3, 4, 5, 6], [8.0, 7, 6, 5, 4, 3, 2, 1]])
    mask = HardNegativeLoss().hard_mask(conf_only(loss, valid, positive=positive))
    assert mask.int().tolist() == [[0, 1, 0, 0, 0, 1, 1, 1], [0] * 8]
    # A fraction of a negative is none.
    mask = HardNegativeLoss(neg_pos_ratio=1.9).hard_mask(conf_only(loss, valid, positive=positive))
    assert mask.int().tolist() == [[0, 1, 0, 0, 0, 0, 0, 1], [0] * 8]


def test_the_rival_ranks_by_the_term_it_is_told():
    losses = dict(loss_conf=CONF, loss_cls=CLS)
    positive = torch.tensor([[False, True, False, False], [False] * 4])
    prior_losses = PriorLosses(losses, VALID, positive)
    ranked = [
        HardNegativeLoss(1, rank_by).hard_mask(prior_losses)[0].int().tolist()
        for rank_by in ('loss_conf', 'loss_cls', None)
    ]
    assert ranked == [[1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0]]


def test_no_ratio_of_negatives_below_or_at_zero():
    with pytest.raises(ValueError, match=r'lrm\.neg_pos_ratio is 0; it must be larger'):
        HardNegativeLoss(neg_pos_ratio=0)


def test_a_batch_without_positives_is_divided_by_one():
    lrm = LRMLoss(hard_ratio=1.0, normalizer='positives')
    loss = lrm(conf_only(positive=torch.zeros_like(VALID)))['loss_conf']
    assert loss.item() == 20


def test_gradient_reaches_the_kept_priors_only():
    conf = CONF.clone().requires_grad_()
    LRMLoss(num_hard=1)(conf_only(conf))['loss_conf'].backward()
    assert conf.grad.tolist() == [[0.5, 0, 0, 0], [0, 0, 0, 0.5]]


def test_a_loss_that_is_not_finite_is_named_with_its_image():
    conf = CONF.clone()
    conf[1, 2] = torch.nan
    with pytest.raises(FloatingPointError, match='loss_conf of image 1 '):
        LRMLoss()(PriorLosses(dict(loss_cls=CLS, loss_conf=conf), VALID))


def test_a_loss_that_is_not_finite_may_stand_at_an_invalid_prior():
    conf = CONF.clone().requires_grad_()
    valid = VALID.clone()
    valid[1, 2] = False
    broken = torch.where(valid, conf, torch.nan)
    loss = LRMLoss(hard_ratio=1.0)(conf_only(broken, valid))['loss_conf']
    assert loss.item() == pytest.approx((CONF.sum().item() - 3) / 2)


@pytest.mark.cuda
def test_on_cuda_the_next_call_reports_a_loss_that_is_not_finite():
    lrm = LRMLoss()
    conf = CONF.cuda()
    conf[0, 0] = torch.inf
    lrm(conf_only(conf, VALID.cuda()))
    with pytest.raises(FloatingPointError, match=r'image 0 .*previous training step'):
        lrm(conf_only(CONF.cuda(), VALID.cuda()))


def test_bfloat16_losses_are_ranked():
    mask = LRMLoss(num_hard=1).hard_mask(conf_only(CONF.bfloat16()))
    assert mask.int().tolist()[0] == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(num_hard=3, hard_ratio=0.5), 'lrm.num_hard is 3 and lrm.hard_ratio is 0.5'),
        (dict(hard_ratio=0), r'lrm.hard_ratio is 0; it must lie in \(0, 1\]'),
        (dict(hard_ratio=1.5), r'remove `lrm` from the config'),
        (dict(num_hard=0), 'lrm.num_hard is 0; it must be an integer >= 1'),
        (dict(num_hard=0.5), 'lrm.num_hard is 0.5'),
        (dict(num_hard=True), 'lrm.num_hard is True'),
        (dict(nms_iou_thr=1.0), r'lrm.nms_iou_thr is 1.0; it must lie in \(0, 1\)'),
        (dict(element='anchor'), "lrm.element is 'anchor'; it must be one of prior, cell"),
        (dict(scope='gpu'), "lrm.scope is 'gpu'; it must be one of image, level, batch"),
        (
            dict(normalizer='mean'),
            "lrm.normalizer is 'mean'; it must be one of head, batch, positives",
        ),
    ],
)
def test_bad_options_fail_when_built(options, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='LRMLoss', **options))


@pytest.mark.parametrize('rank_by', ['loss_obj', ['loss_conf', 'loss_obj'], []])
def test_unknown_terms_are_named_with_those_that_exist(rank_by):
    with pytest.raises(ValueError, match=r"rank_by is .*the terms \('loss_conf',\)"):
        LRMLoss(rank_by=rank_by).check_terms(('loss_conf',))


@pytest.mark.parametrize(
    ('miner', 'message'),
    [
        (LRMLoss(keep_positives=True), 'LRMLoss needs `positive`'),
        (LRMLoss(nms_iou_thr=0.5), 'LRMLoss needs `bboxes`'),
        (LRMLoss(normalizer='positives'), r"lrm\.normalizer='positives' needs `positive`"),
        (HardNegativeLoss(), 'HardNegativeLoss needs `positive`'),
    ],
)
def test_what_an_option_needs_and_the_head_did_not_pass_is_named(miner, message):
    with pytest.raises(ValueError, match=message):
        miner(conf_only())


def test_only_thinning_asks_the_head_for_boxes():
    miners = HardNegativeLoss(), LRMLoss(), LRMLoss(nms_iou_thr=0.7)
    assert [miner.needs_bboxes for miner in miners] == [False, False, True]


def test_it_can_be_copied_as_an_average_of_weights_does():
    assert repr(copy.deepcopy(LRMLoss(num_hard=7))) == repr(LRMLoss(num_hard=7))
