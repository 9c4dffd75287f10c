import math

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from mmdet_lrm.heads import YOLOV2Head, yolov2_head
from mmdet_lrm.heads.targets import assign_truths, pad_truths
from mmdet_lrm.heads.yolov2_head import responsible_priors

# A map of 2 x 3 cells of 10 pixels with two base priors: 12 priors, 2 of them a cell.
SIZES = [(10.0, 10.0), (20.0, 10.0)]
GRID = (2, 3)
META = dict(img_shape=(20, 30), scale_factor=(1.0, 1.0))
NO_BOXES = torch.zeros(0, 4)


def make_head(**options):
    options = dict(num_classes=2, in_channels=4, warmup_images=0, max_gts=None) | options
    generator = dict(type='YOLOAnchorGenerator', base_sizes=[SIZES], strides=[10])
    return YOLOV2Head(anchor_generator=generator, **options)


def instances(bboxes=NO_BOXES, labels=None):
    bboxes = torch.as_tensor(bboxes, dtype=torch.float32).reshape(-1, 4)
    labels = [0] * len(bboxes) if labels is None else labels
    return InstanceData(bboxes=bboxes, labels=torch.tensor(labels, dtype=torch.long))


def zero_map(num_imgs=1, **values):
    """A raw map of zeros; ``conf=3`` and so on sets a channel of every prior."""
    raw = torch.zeros(num_imgs, 2, 7, *GRID)
    for name, value in values.items():
        raw[:, :, ['tx', 'ty', 'tw', 'th', 'conf'].index(name)] = value
    return raw.reshape(num_imgs, 14, *GRID)


def losses_of(head, raw, truths, ignored=None, metas=None):
    return head.loss_by_feat([raw], truths, metas or [META] * len(raw), ignored)


def test_a_truth_belongs_to_the_cell_of_its_centre_and_the_prior_of_its_shape():
    truths = pad_truths([instances([[1, 1, 9, 9], [11, 12, 29, 20]]), instances([[21, 3, 29, 7]])])
    inds = responsible_priors(truths, torch.tensor(SIZES), 10, GRID)
    # Cell (row 1, column 2) holds (20, 16); its second base prior is the wide one.
    assert inds.tolist() == [[0, (1 * 3 + 2) * 2 + 1], [2 * 2, 12]]


def test_a_centre_on_the_far_border_belongs_to_the_last_cell():
    truths = pad_truths([instances([[25, 15, 35, 25]])])
    assert responsible_priors(truths, torch.tensor(SIZES), 10, GRID).tolist() == [[10]]


def test_the_first_base_prior_wins_a_tie():
    truths = pad_truths([instances([[0, 0, 8, 8]])])
    sizes = torch.tensor([(8.0, 4.0), (4.0, 8.0)])
    assert responsible_priors(truths, sizes, 10, GRID).tolist() == [[0]]


def test_the_later_of_two_truths_with_one_prior_wins():
    assert assign_truths(torch.tensor([[1, 0, 1], [3, 3, 3]]), num_priors=3).tolist() == [
        [1, 2, -1],
        [-1, -1, -1],
    ]


def test_losses_of_a_hand_worked_image():
    # The truth is exactly prior 0: a predicted box there has IoU 1, the wide prior's has 1/2.
    losses = losses_of(make_head(), zero_map(), [instances([[0, 0, 10, 10]], [1])])
    scale = 2 - 100 / 600
    assert losses['loss_xy'].item() == 0
    assert losses['loss_wh'].item() == 0
    # Objectness is 0.5: one positive wants IoU 1, eleven negatives want 0.
    assert losses['loss_conf'].item() == pytest.approx(0.5 * 5 * 0.25 + 11 * 0.5 * 0.25)
    assert losses['loss_cls'].item() == pytest.approx(math.log(2))
    moved = losses_of(make_head(), zero_map(tw=0.5), [instances([[0, 0, 10, 10]], [1])])
    assert moved['loss_wh'].item() == pytest.approx(0.5 * scale * 0.25)


def test_a_prediction_that_overlaps_a_truth_is_no_negative():
    # The wide prior of cell (0, 0) has IoU 1/2 with the truth.
    truths = [instances([[0, 0, 10, 10]])]
    losses = losses_of(make_head(neg_iou_thr=0.4), zero_map(), truths)
    assert losses['loss_conf'].item() == pytest.approx(0.5 * 5 * 0.25 + 10 * 0.5 * 0.25)
    # At the threshold itself it is one.
    losses = losses_of(make_head(neg_iou_thr=0.5), zero_map(), truths)
    assert losses['loss_conf'].item() == pytest.approx(0.5 * 5 * 0.25 + 11 * 0.5 * 0.25)


def test_without_rescore_the_objectness_target_is_one():
    truths = [instances([[0, 0, 10, 10]])]
    head = make_head(rescore=False, noobject_scale=0.0)
    assert losses_of(head, zero_map(tw=0.7), truths)['loss_conf'].item() == pytest.approx(0.625)
    head.rescore = True
    assert losses_of(head, zero_map(tw=0.7), truths)['loss_conf'].item() < 0.625


def test_no_gradient_flows_through_the_objectness_target():
    raw = zero_map(tw=0.5).requires_grad_()
    losses_of(make_head(), raw, [instances([[0, 0, 10, 10]])])['loss_conf'].backward()
    gradient = raw.grad.reshape(2, 7, *GRID)
    assert gradient[:, :4].abs().sum() == 0
    assert gradient[:, 4].abs().sum() > 0


@pytest.mark.parametrize(
    ('box', 'share_of_image'), [([0, 0, 10, 10], 100 / 600), ([0, 0, 30, 20], 1.0)]
)
def test_small_truths_have_up_to_twice_the_weight_of_large_ones(box, share_of_image):
    head = make_head(coord_scale=3.0)
    center = zero_map()  # the logit 0 is the middle of the cell
    bare = losses_of(head, center, [instances([box])])['loss_wh'].item()
    moved = losses_of(head, zero_map(th=1.0), [instances([box])])['loss_wh'].item()
    wanted = math.log((box[3] - box[1]) / 10)
    change = 0.5 * ((1 - wanted) ** 2 - wanted**2)
    assert moved - bare == pytest.approx(3 * (2 - share_of_image) * change, rel=1e-4)


def test_warm_up_pulls_every_other_prior_to_its_own_box_until_enough_images_were_seen():
    head = make_head(warmup_images=8)
    raw = zero_map(tw=2.0)
    assert losses_of(head, raw, [instances()])['loss_wh'].item() == pytest.approx(12 * 0.01 * 2)
    head.images_seen.fill_(8)
    assert losses_of(head, raw, [instances()])['loss_wh'].item() == 0


def test_training_steps_count_images_and_checkpoints_keep_the_count():
    head = make_head()
    sample = DetDataSample(metainfo=META, gt_instances=instances())
    feat = (torch.rand(3, 4, *GRID),)
    head.loss(feat, [sample] * 3)
    head.loss(feat, [sample] * 3)
    resumed = make_head()
    resumed.load_state_dict(head.state_dict())
    assert resumed.images_seen.item() == 6


def test_the_images_of_all_processes_count_as_seen(monkeypatch):
    monkeypatch.setattr(yolov2_head, 'get_world_size', lambda: 4)
    head = make_head()
    sample = DetDataSample(metainfo=META, gt_instances=instances())
    head.loss((torch.rand(3, 4, *GRID),), [sample] * 3)
    assert head.images_seen.item() == 12


def test_predictions_in_ignored_instances_are_neither_negatives_nor_ranked():
    # The ignored region covers the left cells; wide priors lie half in it or in its neighbour.
    ignored = [instances([[0, 0, 10, 20]])]
    head = make_head(ignore_iof_thr=0.6)
    losses = losses_of(head, zero_map(), [instances()], ignored)
    # Both square priors of the first column, and the wide ones, which stick out by half, stay.
    assert losses['loss_conf'].item() == pytest.approx(10 * 0.5 * 0.25)
    prior_losses = head.prior_losses([zero_map()], [instances()], [META], ignored)
    assert prior_losses.valid[0].nonzero().flatten().tolist() == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11]


def test_a_truth_in_an_ignored_instance_still_trains():
    box = [[0, 0, 10, 10]]
    prior_losses = make_head().prior_losses(
        [zero_map()], [instances(box)], [META], [instances(box)]
    )
    assert prior_losses.valid[0, 0] and prior_losses.losses['loss_conf'][0, 0] > 0


def test_ignored_instances_may_lack_labels():
    ignored = [InstanceData(bboxes=torch.tensor([[0.0, 0, 10, 10]]))]
    losses = losses_of(make_head(), zero_map(), [instances()], ignored)
    assert losses['loss_conf'].item() == pytest.approx(11 * 0.5 * 0.25)


def test_cells_in_the_padding_of_the_batch_do_not_train():
    losses = losses_of(make_head(), zero_map(), [instances()], metas=[dict(img_shape=(10, 30))])
    assert losses['loss_conf'].item() == pytest.approx(6 * 0.5 * 0.25)


def test_a_batch_has_the_mean_of_its_images_losses_one_of_them_empty():
    raw = torch.randn(3, 14, *GRID)
    truths = [
        instances([[0, 0, 10, 10], [3, 2, 28, 19]], [1, 0]),
        instances(),
        instances([[9, 9, 19, 19]]),
    ]
    ignored = [instances(), instances([[0, 0, 15, 15]]), instances()]
    head = make_head(lrm=dict(type='LRMLoss', num_hard=4))
    together = losses_of(head, raw, truths, ignored)
    alone = [
        losses_of(head, raw[i : i + 1], truths[i : i + 1], ignored[i : i + 1]) for i in range(3)
    ]
    for term in head.loss_terms:
        expected = torch.stack([losses[term] for losses in alone]).mean()
        torch.testing.assert_close(together[term], expected)


def test_any_number_of_truths():
    bboxes = torch.rand(500, 4).sort(dim=1).values * 20
    raw = torch.randn(1, 14, *GRID, requires_grad=True)
    sum(losses_of(make_head(), raw, [instances(bboxes)]).values()).backward()
    assert raw.grad.isfinite().all()


def test_truths_beyond_the_limit_are_not_learnt():
    first, second = [[0, 0, 10, 10]], [[0, 0, 10, 10], [10, 0, 20, 10]]
    raw = zero_map()
    limited = losses_of(make_head(max_gts=1), raw, [instances(second)])
    assert limited == losses_of(make_head(), raw, [instances(first)])
    assert limited != losses_of(make_head(), raw, [instances(second)])


def test_thin_boxes_and_exploding_sizes_keep_gradients_finite():
    raw = zero_map(tw=200.0).requires_grad_()
    losses = losses_of(make_head(), raw, [instances([[5, 5, 5.000001, 5.000001]])])
    sum(losses.values()).backward()
    assert raw.grad.isfinite().all()


def test_keeping_all_priors_equals_the_head_without_mining_bit_for_bit():
    raw = torch.randn(2, 14, *GRID)
    truths = [instances([[0, 0, 10, 10], [3, 2, 28, 19]], [1, 0]), instances()]
    plain = losses_of(make_head(), raw, truths)
    mined = losses_of(make_head(lrm=dict(type='LRMLoss', hard_ratio=1.0)), raw, truths)
    assert plain == mined


def test_mining_changes_the_loss_and_reaches_the_hard_priors_only():
    raw = torch.randn(2, 14, *GRID).requires_grad_()
    truths = [instances([[0, 0, 10, 10]]), instances()]
    head = make_head(lrm=dict(type='LRMLoss', num_hard=3))
    losses = losses_of(head, raw, truths)
    sum(losses.values()).backward()
    assert sum(losses.values()) < sum(losses_of(make_head(), raw, truths).values())
    touched = (
        raw.grad.reshape(2, 2, 7, *GRID).abs().sum(dim=2).permute(0, 2, 3, 1).reshape(2, 12) > 0
    )
    prior_losses = head.prior_losses([raw], truths, [META] * 2)
    assert torch.equal(touched, head.lrm.hard_mask(prior_losses))
    assert touched.sum(dim=1).tolist() == [3, 3]


@pytest.mark.parametrize(
    'options',
    [
        dict(element='cell', hard_ratio=0.5),
        dict(nms_iou_thr=0.5, keep_positives=True),
        dict(scope='batch', normalizer='positives', rank_by='loss_conf'),
    ],
)
def test_every_option_of_the_mining_works_in_the_head(options):
    raw = torch.randn(2, 14, *GRID).requires_grad_()
    head = make_head(lrm=dict(type='LRMLoss', **options))
    sum(losses_of(head, raw, [instances([[0, 0, 10, 10]]), instances()]).values()).backward()
    assert 0 < (raw.grad != 0).sum() < raw.numel()


def test_switching_mining_on_changes_no_parameter_or_buffer():
    mined = make_head(lrm=dict(type='LRMLoss'))
    assert list(mined.state_dict()) == list(make_head().state_dict())


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_a_half_precision_map_gives_the_float32_loss_of_its_values(dtype):
    raw = torch.randn(1, 14, *GRID).to(dtype)
    truths = [instances([[0, 0, 10, 10]])]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = losses_of(make_head(), raw, truths)
    assert all(loss.dtype == torch.float32 for loss in half.values())
    assert half == losses_of(make_head(), raw.float(), truths)


def test_cross_entropy_objectness_and_sigmoid_classes():
    head = make_head(
        loss_conf=dict(type='CrossEntropyLoss', use_sigmoid=True),
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True),
        object_scale=1.0,
    )
    losses = losses_of(head, zero_map(), [instances([[0, 0, 10, 10]])])
    assert losses['loss_conf'].item() == pytest.approx(12 * math.log(2))
    assert losses['loss_cls'].item() == pytest.approx(2 * math.log(2))


def test_each_term_has_its_own_scale():
    truths = [instances([[0, 0, 10, 10]], [1])]
    raw = zero_map(tx=0.3, tw=0.5)
    plain = losses_of(make_head(object_scale=1.0, noobject_scale=0.0), raw, truths)
    scales = dict(coord_scale=2.0, object_scale=3.0, noobject_scale=0.0, class_scale=7.0)
    scaled = losses_of(make_head(**scales), raw, truths)
    ratios = {term: scaled[term].item() / plain[term].item() for term in plain}
    assert ratios == pytest.approx(dict(loss_xy=2, loss_wh=2, loss_conf=3, loss_cls=7))


def test_initial_objectness():
    head = make_head(init_conf_prob=0.01)
    head.init_weights()
    bias = head.conv_pred.bias.reshape(2, 7)
    torch.testing.assert_close(bias[:, 4].sigmoid(), torch.tensor([0.01, 0.01]))
    assert bias[:, :4].abs().sum() == 0
    # N(0, sqrt(2 / c)) for a kernel of 1 x 1.
    wide = YOLOV2Head(num_classes=20, in_channels=512)
    wide.init_weights()
    assert wide.conv_pred.weight.std().item() == pytest.approx((2 / 512) ** 0.5, rel=0.03)


TEST_CFG = ConfigDict(
    score_thr=0.2, nms=dict(type='nms', iou_threshold=0.45), max_per_img=10, clip_to_image=True
)


def one_sure_box():
    raw = zero_map(conf=-20.0).reshape(1, 2, 7, *GRID)
    raw[0, 1, 4, 1, 2] = 20.0
    raw[0, 1, 5, 1, 2] = math.log(3)
    return raw.reshape(1, 14, *GRID)


def test_predictions_are_decoded_scored_clipped_and_rescaled():
    meta = dict(img_shape=(20, 30), scale_factor=(0.5, 0.5))
    (result,) = make_head(test_cfg=TEST_CFG).predict_by_feat([one_sure_box()], [meta], rescale=True)
    # Wide prior at (25, 15): 15..35 x 10..20, clipped at 30, then doubled. The softmax is 3 : 1.
    torch.testing.assert_close(result.bboxes, torch.tensor([[30.0, 20, 60, 40]] * 2))
    torch.testing.assert_close(result.scores, torch.tensor([0.75, 0.25]))
    assert result.labels.tolist() == [0, 1]


def test_equal_boxes_of_one_class_are_suppressed():
    raw = one_sure_box().reshape(1, 2, 7, *GRID)
    raw[0, 0, :, 1, 2] = raw[0, 1, :, 1, 2]
    raw[0, 0, 2, 1, 2] = math.log(2)
    (result,) = make_head(test_cfg=TEST_CFG).predict_by_feat([raw.reshape(1, 14, *GRID)], [META])
    assert result.labels.tolist() == [0, 1]


def test_no_more_than_nms_pre_scores_go_on():
    # The sure box has the scores 0.75 and 0.25.
    cfg = TEST_CFG | dict(nms_pre=1)
    (result,) = make_head(test_cfg=ConfigDict(cfg)).predict_by_feat([one_sure_box()], [META])
    torch.testing.assert_close(result.scores, torch.tensor([0.75]))


@pytest.mark.parametrize(('img_shape', 'num_found'), [((20, 26), 2), ((20, 25), 0), ((15, 30), 0)])
def test_cells_in_the_padding_of_the_batch_detect_nothing(img_shape, num_found):
    # The sure box's cell is centred at (25, 15).
    meta = dict(img_shape=img_shape, scale_factor=(1.0, 1.0))
    (result,) = make_head(test_cfg=TEST_CFG).predict_by_feat([one_sure_box()], [meta])
    assert len(result.bboxes) == num_found


def test_no_box_above_the_threshold_gives_an_empty_result():
    (result,) = make_head(test_cfg=TEST_CFG).predict_by_feat([zero_map(conf=-20.0)], [META])
    assert result.bboxes.shape == (0, 4)


def test_more_than_one_level_is_refused():
    generator = dict(type='YOLOAnchorGenerator', base_sizes=[SIZES, SIZES], strides=[16, 32])
    with pytest.raises(ValueError, match='anchor_generator has 2 levels; YOLOv2 predicts from one'):
        YOLOV2Head(num_classes=2, in_channels=4, anchor_generator=generator)


def test_an_unknown_term_in_the_config_is_refused_when_built():
    config = dict(type='YOLOV2Head', num_classes=2, in_channels=4)
    with pytest.raises(ValueError, match=r'lrm\.rank_by'):
        MODELS.build(config | dict(lrm=dict(type='LRMLoss', rank_by='loss_bbox')))


@pytest.mark.cuda
def test_the_loss_on_cuda_waits_for_nothing():
    head = make_head(lrm=dict(type='LRMLoss', hard_ratio=0.3)).cuda()
    raw = torch.randn(2, 14, *GRID, device='cuda', requires_grad=True)
    truths = [instances([[0, 0, 10, 10]]).to('cuda'), instances().to('cuda')]
    sum(losses_of(head, raw, truths).values()).backward()
    # The report of the previous step waits for an event, which this mode does not count.
    torch.cuda.set_sync_debug_mode('error')
    try:
        sum(losses_of(head, raw, truths).values()).backward()
    finally:
        torch.cuda.set_sync_debug_mode('default')


def test_a_loss_that_mines_is_refused_since_the_head_does():
    mined = dict(type='LRMElementLoss', loss='CrossEntropyLoss', use_sigmoid=True)
    with pytest.raises(ValueError, match='loss_conf is LRMElementLoss, which is for heads'):
        make_head(loss_conf=mined)
