"""The training that a plan means, with one big batch a window: what every right program must equal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, cycle, islice
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer, lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from .laboratory import Average, Net, flat, laboratory, masked, samples
from .loops import UPDATES
from .plan import Plan
from .trace import Trace
from .write.script import COEFFICIENT, EPOCHS, GROUPS, WIDTH

Batch = tuple[Tensor, Tensor]


def reference(plan: Plan, micro_batches: int, *, by_size: bool = False) -> Trace:
    """Train as the plan means it. A partial last window has its share of a full one's loss; with `by_size`, its own mean."""
    dataset = samples(micro_batches)
    with laboratory(dataset):
        if plan.has("GRD105"):
            dataset = masked(dataset)
        model = _model(plan)
        optimizers = _optimizers(plan, model)
        n = plan.n if plan.accumulates else 1
        batches = list(zip(dataset.tensors[0].split(2), dataset.tensors[1].split(2), strict=True))  # type: ignore[no-untyped-call]
        passes = [list(windows) for windows in _passes(plan, batches, n)]
        updates = sum(map(len, passes))
        schedule = _schedule(plan, optimizers[0], 101 if plan.length == "literal" else updates)
        average: Any = None
        if plan.ema == "averaged":
            average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.8))  # type: ignore[no-untyped-call]
        elif plan.ema == "own":
            average = Average(model)
        for windows in passes:
            for window in windows:
                _update(plan, model, optimizers, window, 1.0 if by_size else len(window) / n)
                if schedule is not None and plan.scheduler != "epoch":
                    schedule.step()
                if average is not None:
                    average.update_parameters(model) if plan.ema == "averaged" else average.update()
            if schedule is not None and plan.scheduler == "epoch":
                schedule.step()
    trace = Trace(weights=flat(model.parameters()))
    if average is not None:
        trace.average = flat(average.module.parameters() if plan.ema == "averaged" else average.shadow)
    return trace


def _passes(plan: Plan, batches: list[Batch], n: int) -> Iterator[Iterator[list[Batch]]]:
    """The windows of each pass over the data."""
    if not plan.finite:
        yield _chunks(list(islice(cycle(batches), UPDATES * n)), n)
    elif not plan.restarts:
        everything = list(chain.from_iterable([batches] * EPOCHS))
        whole = everything[: len(everything) // n * n]
        # An epoch's schedule steps between windows that two epochs share; such plans have none.
        yield _chunks(whole, n)
    else:
        for _ in range(EPOCHS):
            yield _chunks(batches, n)


def _chunks(batches: list[Batch], n: int) -> Iterator[list[Batch]]:
    return (batches[k : k + n] for k in range(0, len(batches), n))


def _model(plan: Plan) -> Net:
    """Normalised by groups of channels, where batch statistics could not be those of the large batch."""
    model = Net()
    if plan.model != "net":
        norm: nn.Module = nn.GroupNorm(GROUPS, WIDTH) if plan.accumulates else nn.BatchNorm1d(WIDTH)
        model.body = nn.Sequential(nn.Linear(3, WIDTH, bias=False), norm)  # type: ignore[assignment]
        model.head = nn.Linear(WIDTH, 2)
    return model


def _update(plan: Plan, model: Net, optimizers: list[Optimizer], window: list[Batch], share: float) -> None:
    x, y = (torch.cat(parts) for parts in zip(*window, strict=True))
    logits = model(x)
    loss = F.cross_entropy(logits, y) * (1 if plan.has("GRD105") else share)
    if plan.aux or plan.loss == "twice":
        loss = loss + COEFFICIENT * F.l1_loss(logits, torch.zeros_like(logits)) * share
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    if plan.clip == "norm":
        nn.utils.clip_grad_norm_(model.parameters(), 0.05)
    elif plan.clip == "value":
        nn.utils.clip_grad_value_(model.parameters(), 0.01)
    for optimizer in optimizers:
        optimizer.step()


def _optimizers(plan: Plan, model: Net) -> list[Optimizer]:
    parts: list[nn.Module] = [model] if plan.optimizers == 1 else [model.body, model.head]
    made: list[Optimizer] = []
    for part in parts:
        match plan.optimizer:
            case "SGD":
                made.append(torch.optim.SGD(part.parameters(), lr=0.1))
            case "momentum":
                made.append(torch.optim.SGD(part.parameters(), lr=0.1, momentum=0.9))
            case "AdamW":
                made.append(torch.optim.AdamW(part.parameters(), lr=0.01, weight_decay=0.1))
            case _ if plan.has("GRD501"):
                made.append(torch.optim.AdamW(part.parameters(), lr=0.01, weight_decay=0.1))
            case _:
                made.append(torch.optim.Adam(part.parameters(), lr=0.01))
    return made


def _schedule(plan: Plan, optimizer: Optimizer, length: int) -> lr_scheduler.LRScheduler | None:
    match plan.scheduler:
        case "no":
            return None
        case "step" | "epoch":
            return lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
        case "lambda":
            return lr_scheduler.LambdaLR(optimizer, lambda step: 0.9**step)
        case "cosine":
            return lr_scheduler.CosineAnnealingLR(optimizer, T_max=length)
        case "onecycle":
            return lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=length)
    return lr_scheduler.LinearLR(optimizer, start_factor=1.0, end_factor=0.1, total_iters=length)
