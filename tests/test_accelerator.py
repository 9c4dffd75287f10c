"""A training step on an accelerator, shown without one: every device is right and nothing waits."""

import traceback

import pytest
import torch
from device_without_data import Waits, device_without_data
from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from small_heads import META, NUM_CLASSES, SIDE, make_head, raw_maps

from mmdet_lrm.heads import yolov2_head
from mmdet_lrm.mining.diagnosis import prior_gradients, shares
from mmdet_lrm.mining.lrm_loss import LRMLoss
from mmdet_lrm.mining.prior_losses import PriorLosses
from mmdet_lrm.mining.rank import Level

NUM_IMAGES = 3
COUNTS = (2, 0, 6)  # of truths
LRM = dict(type='LRMLoss', hard_ratio=0.25)
# From pinned memory and to it: to the host the flags of bad truths and of bad losses; to the device
# which images have truths and which have ignored ones, where the images end, and for YOLOv3, which
# has no padding, the rows of the truths and once more the images that have some.
NUM_COPIES = dict(YOLOV2=5, YOLOV3=6, SSD=5)
LEVELS = [Level(16, 2), Level(4, 3)]
MINERS = [
    LRM,
    dict(type='LRMLoss', num_hard=5, rank_by='loss_conf', normalizer='hard'),
    dict(type='LRMLoss', element='cell', keep_positives=True, normalizer='positives'),
    dict(type='LRMLoss', scope='level', normalizer='batch'),
    dict(type='LRMLoss', scope='batch', num_hard=7),
    dict(type='HardNegativeLoss', neg_pos_ratio=3),
]
SIGMOID = dict(type='CrossEntropyLoss', use_sigmoid=True)
HEADS = [
    ('YOLOV2', dict()),
    ('YOLOV2', dict(lrm=LRM, rescore=False, max_gts=None, warmup_images=0)),
    ('YOLOV2', dict(lrm=LRM, loss_cls=SIGMOID, loss_conf=dict(type='FocalLoss'))),
    ('YOLOV3', dict(ignore_iof_thr=0.5)),
    ('YOLOV3', dict(lrm=LRM, reduction='mean', one_hot_smoother=0.1)),
    ('SSD', dict(ignore_iof_thr=0.5)),
    ('SSD', dict(lrm=LRM)),
]


@pytest.fixture
def accelerator(monkeypatch):
    with device_without_data(monkeypatch) as device:
        yield device


def head_and_maps(kind, options):
    """A head on 64 x 64 px, and raw maps for it."""
    if kind != 'YOLOV2':
        return make_head(kind, **options), raw_maps(kind, NUM_IMAGES)
    generator = dict(type='YOLOAnchorGenerator', base_sizes=[[(8, 8), (30, 20)]], strides=[16])
    config = dict(type='YOLOV2Head', num_classes=NUM_CLASSES, in_channels=4)
    head = MODELS.build(dict(config, anchor_generator=generator, **options))
    return head, [[torch.randn(NUM_IMAGES, 2 * (5 + NUM_CLASSES), 4, 4)]]


def truths_on(accelerator, counts):
    return [
        InstanceData(
            bboxes=accelerator.put(torch.tensor([[4.0, 4, 20, 30]]).expand(num, -1)),
            labels=accelerator.put(torch.zeros(num, dtype=torch.long)),
        )
        for num in counts
    ]


def inputs_on(accelerator, maps):
    """What ``loss_by_feat`` takes; the padding of the batch and ignored instances are in it."""
    maps = [[accelerator.put(each).requires_grad_() for each in levels] for levels in maps]
    metas = [META, META, dict(META, img_shape=(SIDE, SIDE // 2))]
    return maps, (truths_on(accelerator, COUNTS), metas, truths_on(accelerator, (1, 0, 2)))


@pytest.mark.parametrize(('kind', 'options'), HEADS)
def test_the_loss_of_a_head_waits_for_no_accelerator(accelerator, kind, options):
    head, maps = head_and_maps(kind, options)
    accelerator.put_module(head)
    maps, truths = inputs_on(accelerator, maps)
    head.loss_by_feat(*maps, *truths)  # base priors are copied once
    with accelerator.watch() as watch:
        losses = head.loss_by_feat(*maps, *truths)
        sum(losses.values()).backward()
    assert all(each.grad.is_cuda for levels in maps for each in levels)
    assert watch.num_copies == NUM_COPIES[kind]


def prior_losses_on(accelerator):
    terms = ('loss_conf', 'loss_cls')
    losses = {term: accelerator.put(torch.rand(NUM_IMAGES, 44)).requires_grad_() for term in terms}
    mask = accelerator.put(torch.ones(NUM_IMAGES, 44, dtype=torch.bool))
    bboxes = accelerator.put(torch.rand(NUM_IMAGES, 44, 4))
    return PriorLosses(losses, mask, mask, bboxes, LEVELS, mask.sum())


@pytest.mark.parametrize('strength', [0.5, 1.0])
@pytest.mark.parametrize('lrm', MINERS)
def test_mining_waits_for_no_accelerator(accelerator, lrm, strength):
    miner = MODELS.build(lrm)
    miner.strength = strength
    prior_losses = prior_losses_on(accelerator)
    with accelerator.watch() as watch:
        sum(miner(prior_losses).values()).backward()
        sum(miner(prior_losses).values()).backward()
    assert all(loss.grad.is_cuda for loss in prior_losses.losses.values())
    assert watch.num_copies == 2  # of the flags of losses that are not finite, to the host


def test_thinning_alone_asks_the_accelerator_whether_it_may_stop(accelerator):
    miner = MODELS.build(dict(LRM, nms_iou_thr=0.7))
    prior_losses = prior_losses_on(accelerator)
    with accelerator.watch(), pytest.raises(Waits, match='reads the device') as caught:
        miner(prior_losses)
    assert 'thin_by_nms' in functions_of(caught)


def functions_of(caught):
    return [frame.name for frame in traceback.extract_tb(caught.tb)]


def element_inputs(accelerator, loss):
    """Predictions, targets and weights of six elements, as heads pass them."""
    pred = accelerator.put(torch.rand(6, 4)).requires_grad_()
    if loss in ('L1Loss', 'sigmoid'):
        return pred, accelerator.put(torch.rand(6, 4)), accelerator.put(torch.ones(6, 4))
    return pred, accelerator.put(torch.zeros(6, dtype=torch.long)), accelerator.put(torch.ones(6))


@pytest.mark.parametrize(
    'loss',
    [
        dict(loss='FocalLoss'),
        dict(loss='CrossEntropyLoss'),
        dict(loss='CrossEntropyLoss', use_sigmoid=True),
        dict(loss='MSELoss', num_hard=3, normalizer='hard'),
    ],
)
def test_element_losses_wait_for_no_accelerator(accelerator, loss):
    mined = MODELS.build(dict(type='LRMElementLoss', **loss))
    plain = 'use_sigmoid' in loss or loss['loss'] == 'MSELoss'
    inputs = element_inputs(accelerator, 'sigmoid' if plain else loss['loss'])
    with accelerator.watch():
        mined(*inputs, avg_factor=6).backward()
        mined(*inputs, avg_factor=6).backward()
    assert inputs[0].grad.is_cuda


@pytest.mark.parametrize('mining', [False, True])
@pytest.mark.parametrize(
    ('loss', 'function'),
    [
        (dict(type='L1Loss'), 'forward'),
        (dict(type='CrossEntropyLoss', use_sigmoid=True), '_expand_onehot_labels'),
    ],
)
def test_two_losses_of_mmdet_wait_with_mining_and_without(accelerator, loss, function, mining):
    """L1Loss asks whether there is a weight, sigmoid cross-entropy which labels are classes."""
    config = dict(loss)
    if mining:
        config |= dict(type='LRMElementLoss', loss=config['type'])
    inputs = element_inputs(accelerator, 'L1Loss' if 'L1' in loss['type'] else 'labels')
    with accelerator.watch(), pytest.raises(Waits, match='reads the device') as caught:
        MODELS.build(config)(*inputs)
    *_, last = (frame for frame in traceback.extract_tb(caught.tb) if '/mmdet/' in frame.filename)
    assert last.name == function


def test_prediction_waits_for_no_accelerator_before_the_boxes_are_chosen(accelerator, monkeypatch):
    class Chosen(Exception):
        pass

    def choose(scores, score_thr, topk):
        assert scores.is_cuda
        raise Chosen

    monkeypatch.setattr(yolov2_head, 'filter_scores_and_topk', choose)
    head, maps = head_and_maps('YOLOV2', dict(test_cfg=dict(score_thr=0.1)))
    accelerator.put_module(head)
    maps, (_, metas, _) = inputs_on(accelerator, maps)
    head._flatten(*maps)  # base priors are copied once
    with accelerator.watch(), pytest.raises(Chosen), torch.no_grad():
        head.predict_by_feat(*maps, metas)


@pytest.mark.parametrize('kind', ['YOLOV2', 'YOLOV3', 'SSD'])
def test_a_diagnosis_waits_for_no_accelerator(accelerator, kind):
    head, maps = head_and_maps(kind, dict(lrm=LRM))
    accelerator.put_module(head)
    maps, truths = inputs_on(accelerator, maps)
    prior_gradients(head, maps, *truths)  # base priors are copied once
    with accelerator.watch():
        measured = prior_gradients(head, maps, *truths)
        found = shares(measured, LRMLoss(hard_ratio=0.25).hard_mask(measured.losses))
    assert all(share.is_cuda for share in found.values())


@pytest.mark.parametrize(
    ('step', 'reason'),
    [
        (lambda x: x.sum().item(), 'reads the device'),
        (lambda x: bool((x > 0).any()), 'reads the device'),
        (lambda x: x.nonzero(), 'reads the device'),
        (lambda x: torch.equal(x, x), 'reads the device'),
        (lambda x: x[x > 0], 'mask for an index'),
        (lambda x: x.index_put((x > 0,), x[0]), 'mask for an index'),
        (lambda x: x + torch.ones(4), 'mixes the devices'),
        (lambda x: x[torch.tensor([0, 1])], 'mixes the devices'),
        (lambda x: x.cpu(), 'waits for the copy'),
        (lambda x: torch.ones(4).to(x.device, non_blocking=True), 'waits for the copy'),
        (lambda x: torch.ones(4, pin_memory=True).to(x.device), 'waits for the copy'),
        (lambda x: x.new_tensor([1.0, 2.0]), 'waits for the copy'),
    ],
)
def test_what_waits_is_seen(accelerator, step, reason):
    x = accelerator.put(torch.rand(4))
    with accelerator.watch(), pytest.raises(Waits, match=reason):
        step(x)


@pytest.mark.slow
@pytest.mark.parametrize(('kind', 'options'), HEADS)
def test_the_loss_compiles_to_one_graph_that_still_reports(kind, options):
    head, maps = head_and_maps(kind, options)
    truth = InstanceData(bboxes=torch.tensor([[4.0, 4, 20, 30]]), labels=torch.tensor([0]))
    others = [truth] * NUM_IMAGES, [META] * NUM_IMAGES
    compiled = torch.compile(head.loss_by_feat, fullgraph=True, backend='eager', dynamic=False)
    losses = head.loss_by_feat(*maps, *others)
    assert losses.keys() == compiled(*maps, *others).keys()
    for term, loss in compiled(*maps, *others).items():
        torch.testing.assert_close(loss, losses[term])
    with torch.no_grad():
        maps[0][0][1] = torch.nan
    with pytest.raises(RuntimeError, match=r'is not finite.*without torch.compile'):
        compiled(*maps, *others)
