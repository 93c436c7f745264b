"""Fixes that move or widen the boundary must take the synchronisation of gradients with them: the processes drift apart otherwise."""

from __future__ import annotations

import pytest
from harness import fixed

DDP = """\
from contextlib import nullcontext

import torch
from torch.nn.parallel import DistributedDataParallel


def train(model, loader, criterion, accum_steps):
    model = DistributedDataParallel(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    for i, (x, y) in enumerate(loader):
        with model.no_sync() if (i + 1) % accum_steps != 0 else nullcontext():
            loss = criterion(model(x), y)
            (loss / accum_steps).backward()
        if (i + 1) % accum_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
"""
FABRIC = """\
def train(fabric, model, loader, criterion, optimizer, accum_steps):
    for i, (x, y) in enumerate(loader):
        with fabric.no_backward_sync(model, enabled=i % accum_steps != 0):
            loss = criterion(model(x), y)
            fabric.backward(loss / accum_steps)
        if i % accum_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
"""


def unsynchronised(source: str, batches: int = 10, n: int = 4) -> list[int]:
    """The micro-batches after which a loop steps although they were not synchronised, by its two conditions alone."""
    lines = source.splitlines()
    guard = next(line.strip()[3:-1] for line in lines if line.strip().startswith("if "))
    block = next(line.strip() for line in lines if line.strip().startswith("with "))
    if "enabled=" in block:
        skipped = block.partition("enabled=")[2].removesuffix("):")
    else:
        skipped = block.partition(" if ")[2].partition(" else ")[0]
    names = {"accum_steps": n, "loader": range(batches), "len": len}
    return [i for i in range(batches) if eval(guard, {**names, "i": i}) and eval(skipped, {**names, "i": i})]


def test_the_loops_are_synchronised_as_written() -> None:
    assert unsynchronised(DDP) == unsynchronised(FABRIC) == []


def test_flushing_the_tail_synchronises_it() -> None:
    assert unsynchronised(fixed(DDP)) == []


HELD = FABRIC.replace("i % accum_steps", "(i + 1) % accum_steps")
"""The loop with the right boundary, to be spoiled by how the reduction is left out."""


@pytest.mark.parametrize(
    "context",
    (
        "fabric.no_backward_sync(model, enabled=(i + 1) % accum_steps == 0)",
        "fabric.no_backward_sync(model, enabled=True)",
        "fabric.no_backward_sync(model)",
        "accelerator.no_sync(model)",
    ),
)
def test_an_engine_that_leaves_out_the_boundary_is_told_to_synchronise_it(context: str) -> None:
    source = HELD.replace("fabric.no_backward_sync(model, enabled=(i + 1) % accum_steps != 0)", context)
    source = source if context.startswith("fabric") else f"import torch\n\n\n{source.replace('fabric', 'accelerator')}"
    assert context in source
    assert unsynchronised(fixed(source)) == []


def test_moving_the_boundary_moves_the_synchronisation() -> None:
    assert unsynchronised(fixed(FABRIC)) == []
