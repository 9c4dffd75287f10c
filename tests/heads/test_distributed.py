"""Two data-parallel processes learn what one process learns from both their images."""

import itertools
import os
import socket

import numpy as np
import pytest
import torch
import torch.distributed as dist
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from small_heads import GRIDS, META, NUM_CLASSES, make_head
from torch import multiprocessing
from torch.nn.parallel import DistributedDataParallel

from mmdet_lrm.heads import YOLOV2Head

KINDS = ('YOLOV2', 'YOLOV3 sum', 'YOLOV3 mean', 'SSD')
BASELINE = 'baseline'  # without lrm, by the code of this package
NORMALIZERS = ('head', 'batch', 'positives', 'hard', BASELINE)
GT = InstanceData(bboxes=torch.tensor([[8.0, 8, 40, 36]]), labels=torch.tensor([1]))
CROWD = InstanceData(
    bboxes=torch.tensor([[4.0, 4, 20, 20], [30, 10, 62, 50], [2, 40, 12, 60]]),
    labels=torch.tensor([0, 2, 1]),
)
EMPTY = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
TRUTHS = {  # of the two images of either process
    'uneven': [GT, EMPTY, CROWD, GT],
    'one rank empty': [EMPTY, EMPTY, CROWD, EMPTY],
    'one truth in all': [GT, EMPTY, EMPTY, EMPTY],
    'none': [EMPTY] * 4,
}
CASES = list(itertools.product(KINDS, NORMALIZERS, TRUTHS))


class Losses(torch.nn.Module):
    """The head's summed loss as a module's output, which data-parallel training needs."""

    def __init__(self, kind, normalizer):
        super().__init__()
        torch.manual_seed(0)
        kind, *reduction = kind.split()
        options = dict(lrm=dict(type='LRMLoss', hard_ratio=0.2, normalizer=normalizer))
        if normalizer == BASELINE:
            options = dict(ignore_iof_thr=0.5)
        if kind == 'YOLOV2':
            sizes = [[(20, 20), (40, 30)]]
            generator = dict(type='YOLOAnchorGenerator', base_sizes=sizes, strides=[32])
            self.head = YOLOV2Head(NUM_CLASSES, 4, generator, **options)
        else:
            self.head = make_head(kind, False, *reduction, **options)
        rng = torch.Generator().manual_seed(1)
        self.feats = [torch.randn(4, 4, side, side, generator=rng) for side in GRIDS.get(kind, [2])]
        self.eval()  # the statistics of a batch norm are those of one process

    def forward(self, images, truths):
        maps = self.head([feat[images] for feat in self.feats])
        losses = self.head.loss_by_feat(*maps, truths[images], [META] * len(truths[images]))
        return sum(losses.values())

    def gradient(self):
        return torch.cat([each.grad.flatten() for each in self.parameters()]).numpy()


def train_halves(rank, port, queue):
    os.environ.update(MASTER_ADDR='localhost', MASTER_PORT=str(port))
    torch.set_num_threads(1)
    dist.init_process_group('gloo', rank=rank, world_size=2)
    init_default_scope('mmdet')
    gradients = {}
    for kind, normalizer, spread in CASES:
        model = DistributedDataParallel(Losses(kind, normalizer), broadcast_buffers=False)
        model(slice(2 * rank, 2 * rank + 2), TRUTHS[spread]).backward()
        gradients[kind, normalizer, spread] = model.module.gradient()
    if rank == 0:
        queue.put(gradients)
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture(scope='module')
def averaged_gradients():
    """By case, the gradient that two processes have after averaging."""
    with socket.socket() as free:
        free.bind(('localhost', 0))
        port = free.getsockname()[1]
    queue = multiprocessing.get_context('spawn').SimpleQueue()
    workers = multiprocessing.spawn(train_halves, args=(port, queue), nprocs=2, join=False)
    gradients = queue.get()
    while not workers.join():
        pass
    return gradients


@pytest.mark.slow
@pytest.mark.parametrize(('kind', 'normalizer', 'spread'), CASES)
def test_two_processes_have_the_gradient_of_one(kind, normalizer, spread, averaged_gradients):
    model = Losses(kind, normalizer)
    model(slice(0, 4), TRUTHS[spread]).backward()
    expected = model.gradient()
    as_mmdet = normalizer in ('head', BASELINE)
    if kind == 'YOLOV3 sum' and as_mmdet:
        expected = expected / 2  # mmdet's sums are averaged over the processes
    if kind == 'YOLOV3 mean' and not as_mmdet:
        expected = expected * 2  # the losses are shares of a mean over one process's images already
    difference = np.abs(averaged_gradients[kind, normalizer, spread] - expected).max()
    assert difference <= 1e-5 * np.abs(expected).max()
