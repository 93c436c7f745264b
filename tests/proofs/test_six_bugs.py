"""Six bugs at once: one run of the fixer writes what an expert would have written, and that trains as the large batch does."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from harness import FIXTURES, fixed, read_marked
from torch import nn

SCRIPT = FIXTURES / "six_bugs" / "six_bugs.py"
FAULTY = read_marked(SCRIPT.read_text(encoding="utf-8")).source


@pytest.fixture(autouse=True)
def double_precision() -> Any:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def define(source: str) -> dict[str, Any]:
    """The script's names, without running its training."""
    names: dict[str, Any] = {"__name__": "six_bugs"}
    exec(compile(source, str(SCRIPT), "exec"), names)
    return names


def weights(model: nn.Module) -> torch.Tensor:
    return nn.utils.parameters_to_vector(model.parameters()).detach()


def trained(source: str) -> torch.Tensor:
    names = define(source)
    torch.manual_seed(names["SEED"])
    return weights(names["train"](names["Classifier"](), names["make_loader"]()))


def large_batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Weights before and after the training that is meant: one batch for each window, plain double precision."""
    names = define(FAULTY)
    torch.manual_seed(names["SEED"])
    model = names["Classifier"]()
    x, y = names["make_loader"]().dataset.tensors
    window = names["BATCH_SIZE"] * names["ACCUM_STEPS"]
    before = weights(model).clone()
    optimizer = torch.optim.AdamW(model.parameters(), lr=names["LR"], weight_decay=0.1)
    updates = names["EPOCHS"] * math.ceil(len(x) / window)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=updates)
    for _ in range(names["EPOCHS"]):
        for rows, labels in zip(x.split(window), y.split(window), strict=True):
            # A short last window is divided by the steps of a full one.
            (F.cross_entropy(model(rows), labels) * len(rows) / window).backward()
            nn.utils.clip_grad_norm_(model.parameters(), names["MAX_NORM"])
            optimizer.step()
            optimizer.zero_grad()
            scheduler.step()
    return before, weights(model)


def test_the_fixer_writes_what_an_expert_would() -> None:
    assert fixed(FAULTY) == SCRIPT.with_suffix(".expert.py").read_text(encoding="utf-8")


def test_the_repaired_training_is_the_large_batch() -> None:
    before, meant = large_batch()
    moved = torch.linalg.vector_norm(meant - before)
    assert torch.linalg.vector_norm(trained(fixed(FAULTY)) - meant) / moved < 1e-9
    assert torch.linalg.vector_norm(trained(FAULTY) - meant) / moved > 1e-3
