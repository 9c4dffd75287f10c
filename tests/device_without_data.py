"""An accelerator that needs none: tensors that have a device and no data, and what waits for it.

torch's fake tensors know shapes, types and devices, so a training step runs without a number. The
device is ``meta``, since a torch built without CUDA has no other; its tensors say that they are on
CUDA. Seen are operations that mix devices, read a number of the device, or copy while the host
waits. Not seen are what happens to pinned memory and events, and the kernels.
"""

import contextlib
from collections.abc import Iterator
from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmdet_lrm.mining import late_report

DEVICE = torch.device('meta')
aten = torch.ops.aten
INDEXING = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)
READING = (aten._local_scalar_dense.default, aten.equal.default, aten.nonzero.default)


class Waits(AssertionError):
    """What would make the host wait for the accelerator, or fail on it."""


class Pinning(TorchFunctionMode):
    """Notes pinned memory, which needs a driver, by an attribute; refuses numbers of the host."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is Tensor.new_tensor or func in (torch.tensor, torch.as_tensor):
            like = args[0].device if func is Tensor.new_tensor else None
            if kwargs.get('device', like) == DEVICE:
                raise Waits(f'{func.__name__} of {args[-1]} waits for the copy')
        pinned = kwargs.pop('pin_memory', False)
        result = func(*args, **kwargs)
        if pinned:
            result.pinned = True
        return result


class Watch(TorchDispatchMode):
    """Raises :class:`Waits` where it happens, and counts the copies that need no waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.num_copies = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        if func is aten._to_copy.default:
            to_device = kwargs.get('device', args[0].fake_device) == DEVICE
            self._check_copy(func, to_device, args[0], args[0], kwargs.get('non_blocking'))
        elif func is aten.copy_.default:
            self._check_copy(func, args[0].is_cuda, *args, *[False][len(args) - 2 :])
        # The device takes a single number of the host with the operation.
        elif len({each.is_cuda for each in tensors if each.dim() > 0}) > 1:
            raise Waits(f'{func} mixes the devices of {tensors}')
        if func in READING and any(each.is_cuda for each in tensors):
            raise Waits(f'{func} reads the device')
        if func in INDEXING and any(
            each.dtype == torch.bool for each in args[1] if each is not None
        ):
            raise Waits(f'{func} has a mask for an index, whose size the host must know')
        return func(*args, **kwargs)

    def _check_copy(
        self, func: object, to_device: bool, target: Tensor, source: Tensor, non_blocking: bool
    ) -> None:
        if to_device == source.is_cuda:
            return
        host = source if to_device else target
        if not (non_blocking and getattr(host, 'pinned', False)):
            raise Waits(f'{func} of {source} waits for the copy')
        self.num_copies += 1


class Accelerator:
    """Where tensors go by ``put``; inside ``watch()`` waiting raises."""

    def __init__(self, mode: FakeTensorMode) -> None:
        self._mode = mode

    def put(self, tensor: Tensor) -> Tensor:
        if not isinstance(tensor, FakeTensor):
            tensor = self._mode.from_tensor(tensor.detach())
        return tensor.detach().to(DEVICE)

    def put_module(self, module: nn.Module) -> nn.Module:
        for each in module.modules():
            for name, tensor in each._parameters.items():
                if tensor is not None:
                    each._parameters[name] = nn.Parameter(self.put(tensor))
            for name, tensor in each._buffers.items():
                each._buffers[name] = self.put(tensor)
        return module

    @contextlib.contextmanager
    def watch(self) -> Iterator[Watch]:
        with Watch() as watch:
            yield watch


def _flags_are_on_the_host(flags: Tensor, error: object, when: str) -> None:
    assert flags.pinned and not flags.is_cuda, 'these flags are read, and the device has them'


@contextlib.contextmanager
def device_without_data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Accelerator]:
    on_device = property(lambda tensor: tensor.fake_device == DEVICE)
    monkeypatch.setattr(FakeTensor, 'is_cuda', on_device, raising=False)
    monkeypatch.setattr(late_report.torch.cuda, 'Event', mock.Mock)
    monkeypatch.setattr(late_report, '_raise_if_any', _flags_are_on_the_host)
    # Constants that a module keeps outside its buffers become tensors without data when used.
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, Pinning():
        yield Accelerator(mode)
