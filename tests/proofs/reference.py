"""The large-batch reference: the training that every proof script means to do, with one big batch per window."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from observer import Observed, observe
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def sgd(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def adamw(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return torch.optim.AdamW(parameters, lr=1e-2, weight_decay=1e-2)


def classifier() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))


def points(samples: int) -> tuple[Tensor, Tensor]:
    x = torch.randn(samples, 8)
    return x, (x[:, 0] + 0.6 * x[:, 1] - 0.3 * x[:, 2] > 0).long()


@dataclass(frozen=True)
class Setup:
    """The training of a proof script: what a script and its reference have in common."""

    samples: int = 96
    micro_batch: int = 8
    window: int = 4
    epochs: int = 4
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] = sgd
    schedule: Callable[[Optimizer, int], LRScheduler] | None = None  # of the optimizer and the number of updates
    clip: float | None = None
    penalty: float = 0.0
    average: float | None = None
    model: Callable[[], nn.Module] = field(default=classifier)
    data: Callable[[int], tuple[Tensor, Tensor]] = points
    loss: Callable[[Tensor, Tensor], Tensor] | None = None  # the mean over a whole window
    sizes: tuple[int, ...] = ()  # of the windows of an epoch, where they are not all of one
    unused: int = 0  # the backward passes at the beginning of an epoch whose gradients are thrown away

    @property
    def micro_batches(self) -> int:
        return -(-self.samples // self.micro_batch)

    @property
    def windows(self) -> list[int]:
        """How many micro-batches the updates of an epoch are made of, and come after."""
        whole, rest = divmod(self.micro_batches, self.window)
        first, *others = list(self.sizes) or [self.window] * whole + [rest] * (rest > 0)
        return [first + self.unused, *others]

    @property
    def updates(self) -> int:
        return self.epochs * len(self.windows)


def reference(setup: Setup) -> Observed:
    """Train with one big batch per window. A partial last window has its share of a full one's loss."""
    return observe(lambda: _train(setup))


def _train(setup: Setup) -> None:
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    x, y = setup.data(setup.samples)
    model = setup.model()
    optimizer = setup.optimizer(model.parameters())
    scheduler = setup.schedule(optimizer, setup.updates) if setup.schedule else None
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(setup.average)) if setup.average else None
    batch = setup.micro_batch * setup.window
    rows: int | list[int] = [size * setup.micro_batch for size in setup.sizes] or batch
    for _ in range(setup.epochs):
        for inputs, targets in zip(x.split(rows), y.split(rows), strict=True):
            optimizer.zero_grad()
            logits = model(inputs)
            if setup.loss is not None:
                loss = setup.loss(logits, targets)
            else:
                loss = F.cross_entropy(logits, targets, reduction="sum") / batch
            if setup.penalty:
                loss = loss + setup.penalty * sum(p.pow(2).sum() for p in model.parameters())
            print(f"loss {loss.item()}")
            loss.backward()
            if setup.clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), setup.clip)
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
            if average is not None:
                average.update_parameters(model)
