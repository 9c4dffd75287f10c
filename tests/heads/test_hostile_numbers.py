"""Truths that cannot be learnt, and losses that are not finite, with mining and without."""

import copy
import math

import pytest
import torch
from mmengine.structures import InstanceData
from small_heads import META, NUM_CLASSES, make_head, raw_maps

from mmdet_lrm.heads import YOLOV2Head
from mmdet_lrm.heads.targets import pad_truths
from mmdet_lrm.heads.truth_check import TruthCheck, TruthError

LRM = dict(type='LRMLoss', hard_ratio=0.5)
METAS = [META | dict(img_path=name) for name in ('data/a.png', 'data/b.png')]
GOOD = [8.0, 8, 40, 40]
HEADS = pytest.mark.parametrize('kind', ['YOLOV2', 'YOLOV3', 'SSD'])
OPTIONS = pytest.mark.parametrize(
    'options', [dict(), dict(ignore_iof_thr=0.5), dict(lrm=LRM)], ids=['plain', 'ignoring', 'lrm']
)


def head_of(kind, **options):
    if kind != 'YOLOV2':
        return make_head(kind, **options)
    generator = dict(type='YOLOAnchorGenerator', base_sizes=[[(20, 20), (40, 30)]], strides=[32])
    options = dict(warmup_images=0) | options
    return YOLOV2Head(NUM_CLASSES, in_channels=4, anchor_generator=generator, **options)


def maps_of(kind):
    if kind == 'YOLOV2':
        return [[torch.zeros(2, 2 * (5 + NUM_CLASSES), 2, 2, requires_grad=True)]]
    return raw_maps(kind, 2)


def truth(box, label=0):
    return InstanceData(bboxes=torch.tensor([box]), labels=torch.tensor([label]))


def loss_of(kind, truths, maps=None, metas=METAS, **options):
    losses = head_of(kind, **options).loss_by_feat(*(maps or maps_of(kind)), truths, metas)
    # mmdet's are lists, of levels or of images.
    return sum(loss.sum() if torch.is_tensor(loss) else sum(loss).sum() for loss in losses.values())


@HEADS
@OPTIONS
@pytest.mark.parametrize(
    ('box', 'label'),
    [
        ([8.0, math.nan, 40, 40], 0),
        ([8.0, 8, math.inf, 40], 0),
        ([-math.inf, 8, 40, 40], 0),
        ([8.0, 8, 8, 40], 0),
        ([8.0, 40, 40, 8], 0),
        (GOOD, -1),
        (GOOD, NUM_CLASSES),
    ],
)
def test_a_truth_that_cannot_be_learnt_is_named_with_its_file(kind, options, box, label):
    truths = [truth(GOOD), InstanceData.cat([truth(GOOD), truth(box, label)])]
    named = ', '.join(f'{side:g}' for side in box)
    with pytest.raises(TruthError, match=rf'^data/b\.png .* \({named}\).* the label {label};'):
        loss_of(kind, truths, **options)


@HEADS
@OPTIONS
def test_the_gradient_of_whole_truths_is_finite_however_large_they_are(kind, options):
    maps = maps_of(kind)
    loss_of(kind, [truth([-5e5, -5e5, 5e5, 5e5]), truth(GOOD)], maps, **options).backward()
    assert all(level.grad.isfinite().all() for levels in maps for level in levels)


def test_a_truth_larger_than_the_input_weighs_as_one_of_its_size():
    # The cell that holds the centre (33, 33) is the last one, whose middle is (48, 48).
    side = 1e6
    box = [33 - side / 2, 33 - side / 2, 33 + side / 2, 33 + side / 2]
    loss = loss_of('YOLOV2', [truth(box), truth(GOOD)])
    head = head_of('YOLOV2')
    prior_losses = head.prior_losses(*maps_of('YOLOV2'), [truth(box), truth(GOOD)], METAS)
    found = prior_losses.losses['loss_wh'][0].max()
    # Of weight 1; the wide prior, 40 x 30 px, has the larger overlap.
    expected = 0.5 * (math.log(side / 40) ** 2 + math.log(side / 30) ** 2)
    assert found.item() == pytest.approx(expected, rel=1e-5)
    assert loss > 0


@HEADS
@OPTIONS
def test_maps_that_are_not_finite_end_with_the_file_of_their_image(kind, options):
    maps = [[level.detach().clone() for level in levels] for levels in maps_of(kind)]
    maps[-1][-1][1] = math.nan
    with pytest.raises(FloatingPointError, match=r'^The loss is .* of data/b\.png') as raised:
        loss_of(kind, [truth(GOOD)] * 2, maps, **options)
    assert 'a.png' not in str(raised.value)


@HEADS
@OPTIONS
def test_losses_that_overflow_end_with_the_files_of_their_images(kind, options):
    maps = [[level.detach().clone() for level in levels] for levels in maps_of(kind)]
    # Finite maps: what is squared overflows in YOLO, the sum over the priors in SSD.
    size = 3e38 if kind == 'SSD' else 1e30
    for level in (level for levels in maps for level in levels):
        level[:] = size * (torch.rand(level.shape) - 0.5)
    with pytest.raises(FloatingPointError, match=r'data/a\.png, data/b\.png'):
        loss_of(kind, [truth(GOOD)] * 2, maps, **options)


def test_without_a_file_the_index_in_the_batch_is_named():
    with pytest.raises(TruthError, match=r'^image 1 of the batch has a truth'):
        loss_of('YOLOV2', [truth(GOOD), truth([0.0, 0, 0, 0])], metas=[META] * 2)


def test_what_an_accelerator_will_refuse_does_no_harm_before():
    boxes = torch.tensor([GOOD, [0.0, 0, math.nan, 9], GOOD])
    padded = pad_truths([InstanceData(bboxes=boxes, labels=torch.tensor([2, 1, 7]))])
    check = TruthCheck(NUM_CLASSES)
    check._late.check = lambda *args: None  # as if the answer came later
    bboxes, labels, mask, _ = check.usable(padded, ['a.png'])
    assert mask.tolist() == [[True, False, False]]
    assert bboxes.tolist() == [[GOOD, [0.0] * 4, [0.0] * 4]]
    assert labels.tolist() == [[2, 0, 0]]


@pytest.mark.cuda
@HEADS
def test_on_cuda_the_next_call_refuses_a_truth_and_no_call_waits(kind):
    head = head_of(kind, lrm=LRM).cuda()
    maps = [[level.detach().cuda() for level in levels] for levels in maps_of(kind)]
    good, bad = ([truth(GOOD, label).to('cuda')] * 2 for label in (0, NUM_CLASSES + 5))
    head.loss_by_feat(*maps, good, METAS)  # moves the base priors once
    torch.cuda.set_sync_debug_mode('error')
    try:
        losses = head.loss_by_feat(*maps, bad, METAS)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    assert all(loss.isfinite() for loss in losses.values())
    with pytest.raises(TruthError, match=r'data/a\.png .* in the previous training step'):
        head.loss_by_feat(*maps, good, METAS)


@HEADS
def test_a_head_can_be_copied_as_an_average_of_weights_does(kind):
    copied = copy.deepcopy(head_of(kind, lrm=LRM))
    copied.loss_by_feat(*maps_of(kind), [truth(GOOD)] * 2, METAS)
