"""Prints the CPU milliseconds of a training step of the studies' thin tiny YOLOv2, a median.

What it takes depends on how the C library keeps memory, which a process can be told only at its
start; so this one is started anew for each. It imports nothing but torch.
"""

import statistics
import time
from itertools import pairwise

import torch
from torch import nn

CHANNELS = (3, 16, 32, 64, 128, 128, 128, 128)
SHAPE = (4, 3, 192, 192)
STEPS = 12


def network() -> nn.Module:
    layers = []
    for number, (before, after) in enumerate(pairwise(CHANNELS)):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)]
        layers.append(nn.LeakyReLU(0.1, inplace=True))
        if number < 3:
            layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
    return nn.Sequential(*layers, nn.Conv2d(CHANNELS[-1], 40, 1))


def main() -> None:
    torch.set_num_threads(1)
    model, images, times = network(), torch.rand(SHAPE), []
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(STEPS):
        begin = time.process_time()
        optimizer.zero_grad()
        model(images).square().mean().backward()
        optimizer.step()
        times.append(1000 * (time.process_time() - begin))
    print(statistics.median(times[2:]))


if __name__ == '__main__':
    main()
