"""The mined YOLOv3 and SSD heads against mmdet's own."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from small_heads import GRIDS, META, NUM_PRIORS, bce, make_head, raw_maps


def losses_and_gradients(head, maps, truths, ignored=None, metas=None):
    """By term the summed loss, and the gradient of their sum at each map."""
    losses = head.loss_by_feat(*maps, truths, metas or [META] * len(truths), ignored)
    losses = {
        term: loss if torch.is_tensor(loss) else sum(each.sum() for each in loss)
        for term, loss in losses.items()
    }
    leaves = [each for levels in maps for each in levels]
    return losses, torch.autograd.grad(sum(losses.values()).sum(), leaves, allow_unused=True)


def assert_same(first, second, **tolerance):
    (losses, gradients), (other_losses, other_gradients) = first, second
    assert losses.keys() == other_losses.keys()
    for term, loss in losses.items():
        torch.testing.assert_close(loss.squeeze(), other_losses[term].squeeze(), **tolerance)
    torch.testing.assert_close(gradients, other_gradients, **tolerance)


BIT_FOR_BIT = dict(rtol=0, atol=0)
TO_ROUNDING = dict(rtol=1e-5, atol=1e-5)
KEEP_ALL = dict(type='LRMLoss', hard_ratio=1.0)
KINDS = pytest.mark.parametrize('kind', ['YOLOV3', 'SSD'])


@KINDS
def test_without_lrm_a_head_is_its_parent_bit_for_bit(kind, random_instances):
    maps, truths = raw_maps(kind, 4), random_instances(4, seed=3)
    ignored = random_instances(4, seed=4)
    results = [
        losses_and_gradients(make_head(kind, parent), maps, truths, ignored)
        for parent in (True, False)
    ]
    assert_same(*results, **BIT_FOR_BIT)


@KINDS
@pytest.mark.parametrize('reduction', ['sum', 'mean'])
@pytest.mark.parametrize('seed', range(5))
def test_keeping_all_priors_equals_the_parent_to_rounding(kind, reduction, seed, random_instances):
    truths = [each for each in random_instances(12, seed) if kind != 'SSD' or len(each)]
    maps = raw_maps(kind, len(truths), seed)
    # The parent of SSD leaves negatives out unless its ratio takes them all.
    parent = make_head(kind, True, reduction, neg_pos_ratio=10**6)
    mined = make_head(kind, False, reduction, lrm=KEEP_ALL)
    assert_same(
        losses_and_gradients(mined, maps, truths),
        losses_and_gradients(parent, maps, truths),
        **TO_ROUNDING,
    )


@KINDS
@pytest.mark.parametrize('seed', range(5))
def test_a_baseline_that_ignores_equals_the_parent_where_nothing_is_ignored(
    kind, seed, random_instances
):
    maps, truths = raw_maps(kind, 12, seed), random_instances(12, seed)
    results = [
        losses_and_gradients(head, maps, truths)
        for head in (make_head(kind, True), make_head(kind, ignore_iof_thr=0.5))
    ]
    assert_same(*results, **TO_ROUNDING)


def test_a_baseline_of_ssd_that_ignores_has_the_parents_ratio_of_negatives(random_instances):
    maps, truths = raw_maps('SSD', 12), random_instances(12, seed=1)
    expected, found, usual = (
        losses_and_gradients(head, maps, truths)
        for head in (
            make_head('SSD', True, neg_pos_ratio=1),
            make_head('SSD', neg_pos_ratio=1, ignore_iof_thr=0.5),
            make_head('SSD', neg_pos_ratio=3, ignore_iof_thr=0.5),
        )
    )
    assert_same(found, expected, **TO_ROUNDING)
    assert found[0]['loss_cls'] < usual[0]['loss_cls']


@pytest.mark.parametrize('smoother', [0.0, 0.1])
def test_label_smoothing_is_the_parents(smoother, random_instances):
    maps, truths = raw_maps('YOLOV3', 6), random_instances(6, seed=5)
    heads = [
        make_head('YOLOV3', True, one_hot_smoother=smoother),
        make_head('YOLOV3', one_hot_smoother=smoother, lrm=KEEP_ALL),
    ]
    assert_same(*(losses_and_gradients(head, maps, truths) for head in heads), **TO_ROUNDING)


@pytest.mark.parametrize('allowed_border', [-1, 0])
def test_ssd_leaves_out_the_priors_in_the_padding_as_its_parent(allowed_border, random_instances):
    maps, truths = raw_maps('SSD', 2), random_instances(2, seed=6)
    assert all(len(each) for each in truths)
    metas = [META, META | dict(img_shape=(40, 50), pad_shape=(41, 50))]
    heads = [make_head('SSD', True, neg_pos_ratio=10**6), make_head('SSD', lrm=KEEP_ALL)]
    for head in heads:
        head.train_cfg['allowed_border'] = allowed_border
    results = [losses_and_gradients(head, maps, truths, metas=metas) for head in heads]
    assert_same(*results, **TO_ROUNDING)
    num_valid = heads[1].prior_losses(*maps, truths, metas).valid.sum(dim=1).tolist()
    assert num_valid[1] < num_valid[0]


@pytest.mark.parametrize(
    'options', [dict(pos_weight=2.5), dict(smoothl1_beta=0.2), dict(reg_decoded_bbox=True)]
)
def test_what_ssd_weighs_and_regresses_is_its_parents(options, random_instances):
    maps, truths = raw_maps('SSD', 2), random_instances(2, seed=6)
    decoded = dict(reg_decoded_bbox=options.pop('reg_decoded_bbox', False))
    plain, parent, mined = (
        make_head('SSD', True, neg_pos_ratio=10**6),
        make_head('SSD', True, neg_pos_ratio=10**6, **decoded),
        make_head('SSD', lrm=KEEP_ALL, **decoded),
    )
    for head in (parent, mined):
        head.train_cfg.update(options)
    expected, found = (losses_and_gradients(head, maps, truths) for head in (parent, mined))
    assert_same(found, expected, **TO_ROUNDING)
    # The option does something here.
    assert sum(expected[0].values()) != sum(losses_and_gradients(plain, maps, truths)[0].values())


@KINDS
def test_parameters_are_the_parents(kind):
    states = [make_head(kind, True).state_dict(), make_head(kind, lrm=KEEP_ALL).state_dict()]
    assert states[0].keys() == states[1].keys()
    make_head(kind, lrm=KEEP_ALL).load_state_dict(states[0])


@KINDS
def test_all_levels_of_an_image_are_ranked_together(kind, random_instances):
    maps, truths = raw_maps(kind, 3), random_instances(3, seed=7)
    head = make_head(kind, lrm=dict(type='LRMLoss', num_hard=20))
    prior_losses = head.prior_losses(*maps, truths, [META] * 3)
    assert prior_losses.valid.shape == (3, NUM_PRIORS[kind])
    mask = head.lrm.hard_mask(prior_losses)
    assert mask.sum(dim=1).tolist() == [20, 20, 20]
    total = sum(prior_losses.losses.values())
    assert (total[mask].view(3, -1).amin(dim=1) >= total.masked_fill(mask, 0).amax(dim=1)).all()


@KINDS
def test_levels_can_be_ranked_apart(kind, random_instances):
    maps, truths = raw_maps(kind, 3), random_instances(3, seed=7)
    head = make_head(kind, lrm=dict(type='LRMLoss', num_hard=5, scope='level'))
    prior_losses = head.prior_losses(*maps, truths, [META] * 3)
    mask = head.lrm.hard_mask(prior_losses)
    sizes = [level.num_priors for level in prior_losses.levels]
    assert [part.sum(dim=1).tolist() for part in mask.split(sizes, dim=1)] == [[5] * 3] * 3


@KINDS
def test_gradient_reaches_the_hard_priors_only(kind, random_instances):
    maps, truths = raw_maps(kind, 3), random_instances(3, seed=8)
    head = make_head(kind, lrm=dict(type='LRMLoss', num_hard=9))
    _, gradients = losses_and_gradients(head, maps, truths)
    mask = head.lrm.hard_mask(head.prior_losses(*maps, truths, [META] * 3))
    bases = [2, 2, 2] if kind == 'YOLOV3' else [4, 6, 4]
    touched = [
        (each.unflatten(1, (num, -1)) != 0).any(dim=2).permute(0, 2, 3, 1).flatten(1)
        for each, num in zip(gradients, bases, strict=False)
    ]
    assert torch.equal(torch.cat(touched, dim=1), mask)


@KINDS
def test_mining_does_not_depend_on_the_other_images(kind, random_instances):
    maps, truths = raw_maps(kind, 4), random_instances(4, seed=9)
    lrm = dict(type='LRMLoss', hard_ratio=0.1, normalizer='batch')
    head = make_head(kind, lrm=lrm)
    together, _ = losses_and_gradients(head, maps, truths)
    apart = [
        losses_and_gradients(
            head, [[each[i : i + 1] for each in m] for m in maps], truths[i : i + 1]
        )
        for i in range(4)
    ]
    for term, loss in together.items():
        torch.testing.assert_close(loss, sum(each[term] for each, _ in apart) / 4, **TO_ROUNDING)


@KINDS
def test_an_image_without_objects_is_mined(kind):
    maps = raw_maps(kind, 1)
    head = make_head(kind, lrm=dict(type='LRMLoss', num_hard=10))
    losses, gradients = losses_and_gradients(head, maps, [empty()])
    assert sum(losses.values()).item() > 0
    assert sum((each != 0).any() for each in gradients if each is not None) > 0


def empty():
    return InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))


@KINDS
@pytest.mark.parametrize('options', [dict(ignore_iof_thr=0.5), dict(lrm=KEEP_ALL)])
def test_priors_in_ignored_instances_are_no_negatives_and_do_not_rank(
    kind, options, random_instances
):
    head = make_head(kind, **options)
    region = InstanceData(bboxes=torch.tensor([[0.0, 0, 32, 64]]))
    maps, truths = raw_maps(kind, 2), [empty(), random_instances(4, seed=3)[3]]
    prior_losses = head.prior_losses(*maps, truths, [META] * 2, [region, None])
    priors = torch.cat(
        head.prior_generator.grid_priors([(s, s) for s in GRIDS[kind]], device='cpu')
    )
    x1, y1, x2, y2 = priors.T
    inside = (x2.clamp(0, 32) - x1.clamp(0, 32)) * (y2.clamp(0, 64) - y1.clamp(0, 64))
    expected = inside <= 0.5 * (x2 - x1) * (y2 - y1)
    assert torch.equal(prior_losses.valid[0], expected)
    assert prior_losses.valid[1].all()
    assert (sum(prior_losses.losses.values())[0][~expected] == 0).all()


@KINDS
def test_a_positive_in_an_ignored_instance_trains(kind, random_instances):
    head = make_head(kind, lrm=KEEP_ALL)
    maps, truths = raw_maps(kind, 1), [random_instances(4, seed=3)[3]]
    everywhere = InstanceData(bboxes=torch.tensor([[-99.0, -99, 199, 199]]))
    prior_losses = head.prior_losses(*maps, truths, [META], [everywhere])
    assert prior_losses.positive.any()
    assert torch.equal(prior_losses.valid, prior_losses.positive)


@KINDS
def test_thinning_gets_the_decoded_boxes(kind, random_instances):
    maps, truths = raw_maps(kind, 2), random_instances(2, seed=1)
    head = make_head(kind, lrm=dict(type='LRMLoss', num_hard=8, nms_iou_thr=0.5))
    prior_losses = head.prior_losses(*maps, truths, [META] * 2)
    grids = [(side, side) for side in GRIDS[kind]]
    priors = torch.cat(head.prior_generator.grid_priors(grids, device='cpu'))
    if kind == 'SSD':
        preds = head._flatten(maps[1], 4).detach()
        expected = torch.stack([head.bbox_coder.decode(priors, each) for each in preds])
    else:
        # The parent decodes without a limit; random predictions stay below ours.
        preds = [each.detach().permute(0, 2, 3, 1).reshape(2, -1, 8) for each in maps[0]]
        strides = torch.cat(
            [torch.full((each.shape[1],), s) for each, s in zip(preds, [32, 16, 8], strict=True)]
        )
        preds = torch.cat(preds, dim=1)
        deltas = torch.cat([preds[..., :2].sigmoid(), preds[..., 2:4]], dim=-1)
        expected = head.bbox_coder.decode(priors, deltas, strides[:, None])
    torch.testing.assert_close(prior_losses.bboxes, expected)
    assert all(loss.isfinite() for loss in head.lrm(prior_losses).values())


def test_an_exploding_size_of_yolov3_has_a_finite_box():
    maps = [[torch.full_like(each, 200.0) for each in levels] for levels in raw_maps('YOLOV3', 1)]
    head = make_head('YOLOV3', lrm=dict(type='LRMLoss', nms_iou_thr=0.5))
    bboxes = head.prior_losses(*maps, [empty()], [META]).bboxes
    sizes = bboxes[0, :2, 2:] - bboxes[0, :2, :2]
    expected = torch.tensor([[40.0, 24], [24, 40]]) * torch.tensor(8.0).exp()
    torch.testing.assert_close(sizes, expected)


@KINDS
def test_boxes_are_decoded_for_a_miner_that_asks_only(kind, random_instances):
    maps, truths = raw_maps(kind, 2), random_instances(2, seed=1)
    for lrm in (None, KEEP_ALL, dict(type='HardNegativeLoss')):
        head = make_head(kind, lrm=lrm, ignore_iof_thr=0.5)
        assert head.prior_losses(*maps, truths, [META] * 2).bboxes is None


@KINDS
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_maps_give_the_float32_loss_of_the_same_values(
    kind, dtype, random_instances
):
    head, truths = make_head(kind, lrm=dict(type='LRMLoss', hard_ratio=0.3)), random_instances(3, 2)
    half = [[each.detach().to(dtype) for each in levels] for levels in raw_maps(kind, 3)]
    full = [[each.float() for each in levels] for levels in half]
    with torch.autocast('cpu', dtype):
        losses = head.loss_by_feat(*half, truths, [META] * 3)
    expected = head.loss_by_feat(*full, truths, [META] * 3)
    assert {loss.dtype for loss in losses.values()} == {torch.float32}
    for term, loss in losses.items():
        torch.testing.assert_close(loss, expected[term])


@KINDS
def test_prediction_is_the_parents(kind):
    maps = raw_maps(kind, 2)
    cfg = ConfigDict(
        nms_pre=50, score_thr=0.05, nms=dict(type='nms', iou_threshold=0.45), max_per_img=20
    )
    heads = [make_head(kind, True), make_head(kind, lrm=KEEP_ALL)]
    if kind == 'SSD':
        heads[0].loss_cls = None  # without it mmdet's SSDHead cannot predict
    heads[1].load_state_dict(heads[0].state_dict())
    results = []
    for head in heads:
        with torch.no_grad():
            results.append(
                head.predict_by_feat(*detached(maps), batch_img_metas=[META] * 2, cfg=cfg)
            )
    for first, second in zip(*results, strict=True):
        assert torch.equal(first.bboxes, second.bboxes)
        assert torch.equal(first.scores, second.scores)


def detached(maps):
    # The parent applies a sigmoid in place.
    return [[each.detach().clone() for each in levels] for levels in maps]


@KINDS
def test_terms_that_the_head_does_not_have_are_refused_when_built(kind):
    with pytest.raises(ValueError, match=r'rank_by is .*this head has the terms'):
        make_head(kind, lrm=dict(type='LRMLoss', rank_by='loss_obj'))


@KINDS
def test_half_in_an_ignored_instance_is_the_default_with_lrm_alone(kind):
    heads = make_head(kind), make_head(kind, lrm=KEEP_ALL), make_head(kind, ignore_iof_thr=0.3)
    assert [head.ignore_iof_thr for head in heads] == [None, 0.5, 0.3]


@KINDS
def test_a_share_outside_its_range_is_refused_when_built(kind):
    with pytest.raises(ValueError, match=r'ignore_iof_thr is 1\.5; it must lie in \[0, 1\]'):
        make_head(kind, ignore_iof_thr=1.5)


def test_what_is_not_vectorised_is_refused_when_built():
    assigner = dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5)
    with pytest.raises(ValueError, match=r'assigner is MaxIoUAssigner.*needs GridAssigner'):
        make_head('YOLOV3', lrm=KEEP_ALL, train_cfg=dict(assigner=assigner))
    with pytest.raises(ValueError, match=r'loss_conf is CrossEntropyLoss with the reduction .none'):
        make_head('YOLOV3', lrm=KEEP_ALL, loss_conf=bce('none'))
    mined = dict(type='LRMElementLoss', loss='CrossEntropyLoss', use_sigmoid=True)
    with pytest.raises(ValueError, match='loss_conf is LRMElementLoss, which is for heads that'):
        make_head('YOLOV3', ignore_iof_thr=0.5, loss_conf=mined)
    make_head('YOLOV3', loss_conf=mined)
    with pytest.raises(ValueError, match='bbox_coder is TBLRBBoxCoder'):
        make_head('SSD', lrm=KEEP_ALL, bbox_coder=dict(type='TBLRBBoxCoder'))
    train_cfg = dict(make_head('SSD').train_cfg, assigner=assigner | dict(ignore_iof_thr=0.5))
    with pytest.raises(ValueError, match=r'ignores by its own bbox_head\.ignore_iof_thr'):
        make_head('SSD', lrm=KEEP_ALL, train_cfg=train_cfg)


@pytest.mark.cuda
@KINDS
def test_a_training_step_does_not_wait_for_the_device(kind, random_instances):
    maps = [[each.detach().cuda().requires_grad_() for each in m] for m in raw_maps(kind, 3)]
    truths = [each.to('cuda') for each in random_instances(3, seed=1)]
    head = make_head(kind, lrm=dict(type='LRMLoss', hard_ratio=0.2)).cuda()
    losses_and_gradients(head, maps, truths)  # moves the base priors once
    torch.cuda.set_sync_debug_mode('error')
    try:
        losses_and_gradients(head, maps, truths)
    finally:
        torch.cuda.set_sync_debug_mode('default')
