"""Two data-parallel processes learn what one process learns from both their images."""

import os
import socket

import pytest
import torch
import torch.distributed as dist
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import multiprocessing
from torch.nn.parallel import DistributedDataParallel

from mmdet_lrm.heads import YOLOV2Head

FEATS = torch.randn(4, 8, 3, 5, generator=torch.Generator().manual_seed(0))
GT = InstanceData(bboxes=torch.tensor([[20.0, 20, 90, 70]]), labels=torch.tensor([1]))
NO_GT = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
TRUTHS = [GT, NO_GT, GT, GT]  # unevenly spread over two processes


class Losses(torch.nn.Module):
    """The head's summed loss as a module's output, which data-parallel training needs."""

    def __init__(self, normalizer):
        super().__init__()
        torch.manual_seed(0)
        lrm = dict(type='LRMLoss', hard_ratio=0.2, normalizer=normalizer)
        self.head = YOLOV2Head(num_classes=2, in_channels=8, lrm=lrm)

    def forward(self, feats, truths):
        (pred_maps,) = self.head((feats,))
        return sum(self.head.loss_by_feat(pred_maps, truths, [{}] * len(truths)).values())


def train_half(rank, port, normalizer, queue):
    os.environ.update(MASTER_ADDR='localhost', MASTER_PORT=str(port))
    dist.init_process_group('gloo', rank=rank, world_size=2)
    init_default_scope('mmdet')
    model = DistributedDataParallel(Losses(normalizer), broadcast_buffers=False)
    half = slice(2 * rank, 2 * rank + 2)
    model(FEATS[half], TRUTHS[half]).backward()
    if rank == 0:
        queue.put(model.module.head.conv_pred.weight.grad.numpy())
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize('normalizer', ['batch', 'positives', 'hard'])
def test_two_processes_have_the_gradient_of_one(normalizer):
    with socket.socket() as free:
        free.bind(('localhost', 0))
        port = free.getsockname()[1]
    queue = multiprocessing.get_context('spawn').SimpleQueue()
    workers = multiprocessing.spawn(
        train_half, args=(port, normalizer, queue), nprocs=2, join=False
    )
    gradient = torch.from_numpy(queue.get())
    while not workers.join():
        pass
    model = Losses(normalizer)
    model(FEATS, TRUTHS).backward()
    torch.testing.assert_close(gradient, model.head.conv_pred.weight.grad)
