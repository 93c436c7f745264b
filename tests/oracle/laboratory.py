"""Where generated scripts run: their model, their data, and numbers that sum exactly enough to compare."""

from __future__ import annotations

import importlib
import sys
import tempfile
import types
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset


class Net(nn.Module):
    """Two layers, so that two optimizers have something to do."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(3, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(torch.tanh(self.body(inputs)))


class Average:
    """An exponential average of one's own make, as many projects have it."""

    def __init__(self, model: nn.Module, decay: float = 0.8) -> None:
        self.decay = decay
        self.model = model
        self.shadow = [p.detach().clone() for p in model.parameters()]

    def update(self, *_: object) -> None:
        for mine, p in zip(self.shadow, self.model.parameters(), strict=True):
            mine.lerp_(p.detach(), 1 - self.decay)


class SummaryWriter:
    """Whom a script tells its numbers, as TensorBoard's."""

    def add_scalar(self, name: str, value: float, step: int = 0) -> None:
        """Nothing is drawn of it."""


IGNORED = -100


def masked(dataset: TensorDataset) -> TensorDataset:
    """The same points; of every second micro-batch one has no class, so that means are over two points and over one."""
    x, y = dataset.tensors
    return TensorDataset(x, torch.where(torch.arange(len(y)) % 4 == 3, IGNORED, y))


def samples(micro_batches: int) -> TensorDataset:
    """Two points for each micro-batch, with their classes."""
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(2 * micro_batches, 3, generator=generator, dtype=torch.float64)
    return TensorDataset(x, (x @ torch.tensor([1.0, 0.6, -0.3], dtype=torch.float64) > 0).long())


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """The numbers of some tensors, copied into one."""
    return torch.cat([each.detach().reshape(-1) for each in tensors]).clone()


@cache
def alone() -> None:
    """Make this process a group of its own, as DistributedDataParallel wants one.

    It also imports what DistributedDataParallel imports, which may take longer than a script has.
    """
    importlib.import_module("torch._dynamo")
    folder = tempfile.mkdtemp()
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=0, world_size=1)


@contextmanager
def laboratory(dataset: TensorDataset) -> Iterator[None]:
    """The module `toy` that generated scripts take their model and data from, and a default type that sums exactly enough."""
    toy = types.ModuleType("toy")
    toy.__dict__.update(Net=Net, ExponentialMovingAverage=Average, SummaryWriter=SummaryWriter)
    toy.__dict__.update(dataset=dataset, masked=masked(dataset))
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    sys.modules["toy"] = toy  # not `patch.dict`, which would forget what the script imports for the first time
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        del sys.modules["toy"]
